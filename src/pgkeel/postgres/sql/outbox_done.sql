-- one row: how many messages were forgotten
SELECT pgkeel.outbox_done(%(ids)s::bigint[]) AS count
ORDER BY 1
