-- one row: a row in the record that no seal counts
SELECT record.seq
FROM audit.record AS record
WHERE NOT EXISTS (
    SELECT FROM (SELECT seal.from_xid FROM audit.seal
                 WHERE seal.epoch = record.epoch AND seal.month = date_trunc('month', record.at AT TIME ZONE 'UTC')::date
                   AND seal.to_xid > record.xid
                 ORDER BY seal.to_xid LIMIT 1) AS next
    WHERE next.from_xid <= record.xid)
ORDER BY record.seq
LIMIT 100;
