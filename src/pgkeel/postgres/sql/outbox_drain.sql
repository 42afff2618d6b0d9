-- one row: a message that this transaction takes out of the outbox
SELECT id, topic, key, payload, created_at
FROM pgkeel.outbox_drain(%(topics)s::text[], %(most)s)
ORDER BY id
