CREATE VIEW sys.gr_member_routing_candidate_status AS
SELECT sys.gr_member_in_primary_partition() AS viable_candidate,
  IF((SELECT COUNT(*) FROM performance_schema.global_variables
      WHERE variable_name IN ('read_only', 'super_read_only') AND variable_value <> 'OFF') > 0, 'YES', 'NO') AS read_only,
  sys.gr_transactions_behind() AS transactions_behind,
  IFNULL((SELECT stats.count_transactions_in_queue
          FROM performance_schema.replication_group_member_stats AS stats
          JOIN performance_schema.global_variables AS own
            ON own.variable_name = 'server_uuid' AND own.variable_value = stats.member_id), 0) AS transactions_to_cert
