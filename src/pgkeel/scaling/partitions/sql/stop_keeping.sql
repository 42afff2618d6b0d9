-- one row: whether the lock was ours to release
SELECT pg_advisory_unlock(hashtextextended('pgkeel partitions ' || %(table)s, 0)) AS was_alone
ORDER BY 1
