-- one row: how many client connections the server has and how many it allows
SELECT count(*) FILTER (WHERE backend_type = 'client backend') AS connections,
       current_setting('max_connections')::int AS max_connections
FROM pg_stat_activity
ORDER BY 1
