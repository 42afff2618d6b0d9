-- one row: a row in the log of a sealed span of transactions that no seal counts, or of an epoch that never began
SELECT log.seq
FROM audit.log
WHERE NOT EXISTS (SELECT FROM audit.epoch WHERE epoch.epoch = log.epoch)
   OR (log.xid < (SELECT max(seal.to_xid) FROM audit.seal WHERE seal.epoch = log.epoch)
       AND NOT EXISTS (SELECT FROM audit.seal
                       WHERE seal.epoch = log.epoch AND log.xid >= seal.from_xid AND log.xid < seal.to_xid
                         AND seal.month = date_trunc('month', log.at AT TIME ZONE 'UTC')::date))
ORDER BY log.seq
LIMIT 100;
