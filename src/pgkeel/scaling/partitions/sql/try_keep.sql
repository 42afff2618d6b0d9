-- one row: whether this session alone works on the partitions of the table now
SELECT pg_try_advisory_lock(hashtextextended('pgkeel partitions ' || %(table)s, 0)) AS is_alone
ORDER BY 1
