-- utility: one row, the plan
EXPLAIN (FORMAT JSON, SETTINGS) {statement}
