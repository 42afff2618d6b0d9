-- one row deleted per idempotency key that is old enough, the oldest first
DELETE FROM pgkeel.once
WHERE key IN (
    SELECT key
    FROM pgkeel.once
    WHERE created_at < %(before)s
    ORDER BY created_at
    LIMIT %(batch)s
    FOR UPDATE SKIP LOCKED
)
