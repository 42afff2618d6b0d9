-- one row: a seal of a month that has left the log, and what its batch holds now in the table that the month has become
SELECT seal.number, batch.rows AS rows_now, batch.seq,
       audit.chained(seal.previous, seal.number, seal.epoch, seal.from_xid, seal.to_xid, seal.month, seal.rows, batch.digest) AS expected
FROM audit.seal
CROSS JOIN LATERAL (
    SELECT count(*) AS rows, min(log.seq) AS seq, sha256(coalesce(string_agg(sha256(convert_to(json_build_array(
               log.seq, extract(epoch FROM log.at), log.xid, log.epoch, log.actor, log.db_role, log.table_name, log.row_id,
               log.operation, log.before, log.after)::text, 'UTF8')), ''::bytea ORDER BY log.seq), ''::bytea)) AS digest
    FROM audit.{name} AS log
    WHERE log.epoch = seal.epoch AND log.xid >= seal.from_xid AND log.xid < seal.to_xid
) AS batch
WHERE seal.month = %(month)s
ORDER BY seal.number
