-- utility: rows that wait to be put back, as the live table would have them.
CREATE TEMPORARY TABLE {waiting} ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA
