CREATE FUNCTION sys.gr_member_in_primary_partition() RETURNS VARCHAR(3)
READS SQL DATA SQL SECURITY INVOKER COMMENT 'distdb.mysql_ha 1'
BEGIN
  RETURN IFNULL(
    (SELECT IF(own.member_state = 'ONLINE'
               AND 2 * (SELECT COUNT(*) FROM performance_schema.replication_group_members
                        WHERE member_state NOT IN ('ONLINE', 'RECOVERING'))
                   < (SELECT COUNT(*) FROM performance_schema.replication_group_members), 'YES', 'NO')
     FROM performance_schema.replication_group_members AS own
     WHERE own.member_id = @@GLOBAL.server_uuid), 'NO');
END
