-- One line of pg_hba.conf, or of a file that it includes (PostgreSQL 16 and newer), as the files stand now.
SELECT
    rule.line_number AS line,
    coalesce(rule.type, '?') AS type,
    coalesce(rule.database, '{}') AS databases,
    coalesce(rule.user_name, '{}') AS users,
    rule.address,
    rule.netmask,
    rule.auth_method AS method,
    rule.error,
    coalesce(
        nullif(to_jsonb(rule) ->> 'file_name', (SELECT setting FROM pg_settings WHERE name = 'hba_file')), ''
    ) AS file
FROM pg_hba_file_rules AS rule
ORDER BY (to_jsonb(rule) ->> 'rule_number')::int, file, line;
