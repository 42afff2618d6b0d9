-- one row: a message that may be delivered now
SELECT id, topic, key, payload, created_at, attempts
FROM pgkeel.outbox_due(%(topics)s::text[], %(most)s)
ORDER BY id
