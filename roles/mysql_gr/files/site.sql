-- Written by the role distdb.mysql_ha.mysql_gr (mysql_gr_other_site); changes by hand are lost. The server reads it at each start, before it takes a
-- connection. A group that this server starts takes no writes until it is known that the other site does not; a group that it joins stays as it is.
SET GLOBAL super_read_only = OFF;
SELECT group_replication_disable_member_action('mysql_disable_super_read_only_if_primary', 'AFTER_PRIMARY_ELECTION');
SET GLOBAL super_read_only = ON;
