-- one row: an epoch and the number of the last seal before it
SELECT epoch, opened_at, after_seal, reason FROM audit.epoch ORDER BY epoch;
