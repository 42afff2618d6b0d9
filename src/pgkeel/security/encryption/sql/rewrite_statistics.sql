-- utility: write anew what ANALYZE keeps of columns, samples of their values included; whoever plans a statement waits
VACUUM (FULL) pg_catalog.pg_statistic, pg_catalog.pg_statistic_ext_data
