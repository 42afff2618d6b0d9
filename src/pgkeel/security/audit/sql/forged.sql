-- one row: a row in the record that no seal counts
SELECT record.seq
FROM audit.record AS record
WHERE NOT EXISTS (SELECT FROM audit.seal
                  WHERE seal.epoch = record.epoch AND record.xid >= seal.from_xid AND record.xid < seal.to_xid
                    AND seal.month = date_trunc('month', record.at AT TIME ZONE 'UTC')::date)
ORDER BY record.seq
LIMIT 100;
