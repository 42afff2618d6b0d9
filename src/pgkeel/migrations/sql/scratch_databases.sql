-- one row: a scratch database that nobody is connected to
SELECT datname
FROM pg_database
WHERE datname LIKE %(prefix)s || '%%'
  AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE pg_stat_activity.datid = pg_database.oid)
ORDER BY datname
