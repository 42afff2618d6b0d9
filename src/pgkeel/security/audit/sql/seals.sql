-- one row: a seal, what its batch holds now, and what it should say if nothing was touched; of a month that has left the log the table that it
-- is now, or NULL where that is gone
SELECT seal.number, seal.epoch, seal.rows, seal.previous, seal.digest, seal.from_xid, seal.to_xid, seal.month, month.is_retired,
       CASE WHEN month.is_retired THEN month.name END AS kept_as,
       batch.rows AS rows_now,
       audit.chained(seal.previous, seal.number, seal.epoch, seal.from_xid, seal.to_xid, seal.month, seal.rows, batch.digest) AS expected,
       (SELECT min(log.seq) FROM audit.record AS log WHERE log.epoch = seal.epoch AND log.xid >= seal.from_xid AND log.xid < seal.to_xid) AS seq
FROM audit.seal
CROSS JOIN LATERAL audit.digest_of(seal.epoch, seal.from_xid, seal.to_xid, seal.month) AS batch
CROSS JOIN LATERAL (
    SELECT seal.retired_at IS NOT NULL AND (seal.month + interval '1 month') AT TIME ZONE 'UTC' <= clock_timestamp()
           AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = 'audit.record'::regclass AND inhrelid = place.place) AS is_retired,
           (SELECT relname FROM pg_class WHERE oid = place.place) AS name
    FROM (SELECT to_regclass('audit.log_' || to_char(seal.month, 'YYYY_MM')) AS place) AS place
) AS month
ORDER BY seal.number;
