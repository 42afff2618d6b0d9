-- one row: whether these files made the log
SELECT obj_description(to_regclass('audit.record'), 'pg_class') IS NOT DISTINCT FROM %(layout)s AS is_current;
