-- utility: small, and an insert pays next to nothing: batches to prove, spans of time, and of 64 pages which tables, rows and actors
CREATE INDEX IF NOT EXISTS idx_record_find ON audit.record USING brin (
    xid, seq, at,
    table_name text_bloom_ops (n_distinct_per_range = 100),
    row_id text_bloom_ops (n_distinct_per_range = 2000),
    actor text_bloom_ops (n_distinct_per_range = 500)
) WITH (pages_per_range = 64, autosummarize = on);
