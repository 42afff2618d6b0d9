-- utility: one batch of rows that can no longer change unnoticed: those of finished transactions from_xid <= xid < to_xid in a month
CREATE TABLE IF NOT EXISTS audit.seal (
    number bigint PRIMARY KEY,
    epoch integer NOT NULL,
    from_xid bigint NOT NULL,
    to_xid bigint NOT NULL,
    month date NOT NULL,
    rows bigint NOT NULL,
    previous bytea NOT NULL,
    digest bytea NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    retired_at timestamptz
);
