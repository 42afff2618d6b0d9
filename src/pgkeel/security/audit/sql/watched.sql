-- utility: one audited table, and the columns of which only the fact of a change is kept
CREATE TABLE IF NOT EXISTS audit.watched (
    table_name text PRIMARY KEY,
    masked text[] NOT NULL,
    key text[] NOT NULL,
    shape text NOT NULL
);
