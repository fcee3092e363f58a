CREATE FUNCTION sys.gr_transactions_behind() RETURNS BIGINT UNSIGNED
READS SQL DATA SQL SECURITY INVOKER COMMENT 'distdb.mysql_ha 1'
BEGIN
  RETURN sys.gr_gtid_count(GTID_SUBTRACT(
    IFNULL((SELECT received_transaction_set FROM performance_schema.replication_connection_status
            WHERE channel_name = 'group_replication_applier'), ''),
    @@GLOBAL.gtid_executed));
END
