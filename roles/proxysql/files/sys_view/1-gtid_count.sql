CREATE FUNCTION sys.gr_gtid_count(gtid_set LONGTEXT) RETURNS BIGINT UNSIGNED
DETERMINISTIC NO SQL SQL SECURITY INVOKER COMMENT 'distdb.mysql_ha 1'
BEGIN
  DECLARE total BIGINT UNSIGNED DEFAULT 0;
  DECLARE rest LONGTEXT DEFAULT REPLACE(REPLACE(IFNULL(gtid_set, ''), '\n', ''), ' ', '');
  DECLARE element, span LONGTEXT;
  WHILE rest <> '' DO
    SET element = SUBSTRING_INDEX(rest, ',', 1);
    SET rest = IF(LOCATE(',', rest), SUBSTRING(rest, LOCATE(',', rest) + 1), '');
    SET element = IF(LOCATE(':', element), SUBSTRING(element, LOCATE(':', element) + 1), '');
    WHILE element <> '' DO
      SET span = SUBSTRING_INDEX(element, ':', 1);
      SET element = IF(LOCATE(':', element), SUBSTRING(element, LOCATE(':', element) + 1), '');
      SET total = total + 1 + CAST(SUBSTRING_INDEX(span, '-', -1) AS UNSIGNED) - CAST(SUBSTRING_INDEX(span, '-', 1) AS UNSIGNED);
    END WHILE;
  END WHILE;
  RETURN total;
END
