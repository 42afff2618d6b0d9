-- one row: whether the log is here
SELECT to_regclass('audit.watched') IS NOT NULL AS is_installed;
