-- one row: the number of the epoch that began
SELECT audit.open_epoch(%(why)s, %(above)s) AS epoch;
