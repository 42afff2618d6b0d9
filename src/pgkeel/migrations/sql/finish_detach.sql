-- utility: finish a DETACH PARTITION CONCURRENTLY that was stopped
ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE
