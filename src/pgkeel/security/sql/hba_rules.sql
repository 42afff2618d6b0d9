-- One line of pg_hba.conf, as the file stands now.
SELECT
    line_number AS line,
    coalesce(type, '?') AS type,
    coalesce(database, '{}') AS databases,
    coalesce(user_name, '{}') AS users,
    address,
    netmask,
    auth_method AS method,
    error
FROM pg_hba_file_rules
ORDER BY line_number;
