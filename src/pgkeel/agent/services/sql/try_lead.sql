-- one row: whether this session holds the leader lock of the database now
SELECT pg_try_advisory_lock(hashtextextended('pgkeel agent leader', 0)) AS leads
ORDER BY 1
