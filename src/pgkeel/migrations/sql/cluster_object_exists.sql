-- one row: whether the cluster has a database, tablespace or subscription of that name
SELECT CASE %(kind)s
           WHEN 'DATABASE' THEN EXISTS (SELECT FROM pg_database WHERE datname = %(name)s)
           WHEN 'TABLESPACE' THEN EXISTS (SELECT FROM pg_tablespace WHERE spcname = %(name)s)
           ELSE EXISTS (SELECT FROM pg_stat_subscription WHERE subname = %(name)s)
       END AS is_there
ORDER BY 1
