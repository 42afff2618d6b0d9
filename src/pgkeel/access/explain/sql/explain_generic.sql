-- utility: one row, the plan whatever the values are
EXPLAIN (FORMAT JSON, SETTINGS, GENERIC_PLAN) {statement}
