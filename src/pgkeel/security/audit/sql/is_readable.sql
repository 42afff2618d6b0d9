-- one row: whether the log is in the tables that this version reads
SELECT to_regclass('audit.record') IS NOT NULL AS is_readable;
