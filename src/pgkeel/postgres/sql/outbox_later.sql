-- one row: how often the delivery of the message has failed
SELECT pgkeel.outbox_later(%(id)s, %(delay)s::interval) AS attempts
ORDER BY 1
