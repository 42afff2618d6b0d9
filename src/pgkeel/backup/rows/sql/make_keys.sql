-- utility: a temporary table of a table's keys.
CREATE TEMPORARY TABLE {made} AS SELECT {key} FROM {table} WITH NO DATA
