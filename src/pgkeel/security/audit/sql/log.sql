-- utility: what happened to audited rows; append-only, for no role may write it but the functions of its owner
CREATE TABLE IF NOT EXISTS audit.log (
    seq bigint NOT NULL DEFAULT nextval('audit.noted_seq_seq'),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    xid bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    epoch integer NOT NULL DEFAULT 1,
    actor text,
    db_role name NOT NULL DEFAULT session_user,
    table_name text NOT NULL,
    row_id text,
    operation text NOT NULL,
    before jsonb,
    after jsonb
) PARTITION BY RANGE (at);
