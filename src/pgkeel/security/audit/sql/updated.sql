-- utility: what updates changed since the last seal, which takes it into audit.record: no partition is looked for, no index written and no
-- number given, and of one column, for a column costs a writer more than a field does; emptied row by row, so vacuumed after each seal
CREATE TABLE IF NOT EXISTS audit.updated (
    change audit.change
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
