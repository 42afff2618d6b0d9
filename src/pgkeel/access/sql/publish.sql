-- one row: the id of the message; those of one key wait for each other, so that their ids grow in the order of their commits
SELECT pgkeel.outbox_append(%(topic)s, %(key)s, %(payload)s::text::jsonb) AS id
FROM (
    SELECT CASE
        WHEN %(key)s = '' THEN NULL
        ELSE pg_advisory_xact_lock(hashtextextended(%(topic)s || ' ' || %(key)s, 0))::text
    END AS lock
    OFFSET 0
) AS held
WHERE held.lock IS NULL OR held.lock = ''
ORDER BY 1
