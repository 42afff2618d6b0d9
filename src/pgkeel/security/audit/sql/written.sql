-- utility: what statements wrote since the last seal (inserts, deletes, DDL, grants, roles), which takes it into audit.record
CREATE TABLE IF NOT EXISTS audit.written (
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text,
    db_role name NOT NULL DEFAULT session_user,
    table_name text NOT NULL,
    row_id text,
    operation text NOT NULL,
    before jsonb,
    after jsonb
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
