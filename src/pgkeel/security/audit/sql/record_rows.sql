-- one row: how many rows the record has
SELECT count(*) AS rows FROM audit.record ORDER BY 1;
