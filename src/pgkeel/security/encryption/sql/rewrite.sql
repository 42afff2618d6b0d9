-- utility: write the table anew; whoever uses it waits
VACUUM (FULL, ANALYZE) {table}
