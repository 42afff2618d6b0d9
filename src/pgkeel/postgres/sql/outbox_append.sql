-- one row: the id of the message that was added to this transaction
SELECT pgkeel.outbox_append(%(topic)s, %(key)s, %(payload)s::jsonb) AS id
ORDER BY 1
