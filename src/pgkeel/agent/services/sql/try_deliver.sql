-- one row: whether this session delivers the messages of the outbox from now on
SELECT pg_try_advisory_lock(hashtextextended('pgkeel outbox', 0)) AS is_mine
ORDER BY 1
