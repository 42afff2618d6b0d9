-- one row: a seal, what its batch holds now, and what it should say if nothing was touched
SELECT seal.number, seal.epoch, seal.rows, seal.previous, seal.digest, seal.from_xid, seal.to_xid, seal.month,
       seal.retired_at IS NOT NULL AND (seal.month + interval '1 month') AT TIME ZONE 'UTC' <= clock_timestamp() AND NOT EXISTS (
           SELECT FROM pg_inherits WHERE inhparent = 'audit.record'::regclass
           AND inhrelid = to_regclass('audit.log_' || to_char(seal.month, 'YYYY_MM'))) AS is_retired,
       batch.rows AS rows_now,
       audit.chained(seal.previous, seal.number, seal.epoch, seal.from_xid, seal.to_xid, seal.month, seal.rows, batch.digest) AS expected,
       (SELECT min(log.seq) FROM audit.record AS log WHERE log.epoch = seal.epoch AND log.xid >= seal.from_xid AND log.xid < seal.to_xid) AS seq
FROM audit.seal, audit.digest_of(seal.epoch, seal.from_xid, seal.to_xid, seal.month) AS batch
ORDER BY seal.number;
