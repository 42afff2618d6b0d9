-- utility: one row, the plan with what really happened
EXPLAIN (FORMAT JSON, SETTINGS, ANALYZE, BUFFERS) {statement}
