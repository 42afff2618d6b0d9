-- utility: what updates noted since the last seal, which takes it into audit.record: no partition is looked for, no index written and no
-- number given, and of one column, for a column costs a writer more than a field does; emptied row by row, so vacuumed after each seal.
-- an older version gave numbers: its table is left for one without
DO $body$
BEGIN
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('audit.noted') AND attname = 'seq') THEN
        LOCK TABLE audit.noted IN ACCESS EXCLUSIVE MODE;
        ALTER TABLE audit.noted RENAME TO numbered;
    END IF;
END
$body$;
CREATE TABLE IF NOT EXISTS audit.noted (
    note audit.note
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
