-- one row: whether a role may do something, all groups and PUBLIC counted; nothing about what was dropped meanwhile
SELECT cell.kind, cell.names, cell.arguments, cell.column_name, cell.privilege, cell.role, cell.is_allowed
FROM (
    SELECT 'DATABASE' AS kind, ARRAY[datname::text] AS names, '' AS arguments, '' AS column_name, privilege.word AS privilege,
           role.rolname::text AS role, has_database_privilege(role.oid, pg_database.oid, privilege.word) AS is_allowed
    FROM pg_database
    CROSS JOIN (VALUES ('CONNECT'), ('CREATE'), ('TEMPORARY')) AS privilege (word)
    JOIN pg_roles AS role ON role.rolname = ANY (%(roles)s)
    WHERE datname = ANY (%(databases)s)
    UNION ALL
    SELECT 'SCHEMA', ARRAY[nspname::text], '', '', privilege.word, role.rolname::text,
           has_schema_privilege(role.oid, pg_namespace.oid, privilege.word)
    FROM pg_namespace
    CROSS JOIN (VALUES ('USAGE'), ('CREATE')) AS privilege (word)
    JOIN pg_roles AS role ON role.rolname = ANY (%(roles)s)
    WHERE nspname = ANY (%(schemas)s)
    UNION ALL
    SELECT 'TABLE', ARRAY[namespace.nspname::text, relation.relname::text], '', '', privilege.word, role.rolname::text,
           has_table_privilege(role.oid, relation.oid, privilege.word)
    FROM pg_class AS relation
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('REFERENCES'), ('TRIGGER'), ('MAINTAIN'))
        AS privilege (word) ON privilege.word <> 'MAINTAIN' OR current_setting('server_version_num')::int >= 170000
    JOIN pg_roles AS role ON role.rolname = ANY (%(roles)s)
    WHERE namespace.nspname = ANY (%(schemas)s)
      AND relation.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = relation.oid AND deptype = 'e')
    UNION ALL
    SELECT 'TABLE', ARRAY[namespace.nspname::text, relation.relname::text], '', attribute.attname::text, privilege.word,
           role.rolname::text, has_column_privilege(role.oid, relation.oid, attribute.attnum, privilege.word)
    FROM pg_attribute AS attribute
    JOIN pg_class AS relation ON relation.oid = attribute.attrelid
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('REFERENCES')) AS privilege (word)
    JOIN pg_roles AS role ON role.rolname = ANY (%(roles)s)
    WHERE namespace.nspname = ANY (%(schemas)s)
      AND attribute.attacl IS NOT NULL
      AND NOT attribute.attisdropped
    UNION ALL
    SELECT 'SEQUENCE', ARRAY[namespace.nspname::text, relation.relname::text], '', '', privilege.word, role.rolname::text,
           has_sequence_privilege(role.oid, relation.oid, privilege.word)
    FROM pg_class AS relation
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    CROSS JOIN (VALUES ('USAGE'), ('SELECT'), ('UPDATE')) AS privilege (word)
    JOIN pg_roles AS role ON role.rolname = ANY (%(roles)s)
    WHERE namespace.nspname = ANY (%(schemas)s)
      AND relation.relkind = 'S'
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = relation.oid AND deptype = 'e')
    UNION ALL
    SELECT 'ROUTINE', ARRAY[namespace.nspname::text, routine.proname::text],
           CASE routine.prokind
               WHEN 'a' THEN oidvectortypes(routine.proargtypes) ELSE pg_get_function_identity_arguments(routine.oid)
           END,
           '', 'EXECUTE', role.rolname::text, has_function_privilege(role.oid, routine.oid, 'EXECUTE')
    FROM pg_proc AS routine
    JOIN pg_namespace AS namespace ON namespace.oid = routine.pronamespace
    JOIN pg_roles AS role ON role.rolname = ANY (%(roles)s)
    WHERE namespace.nspname = ANY (%(schemas)s)
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = routine.oid AND deptype = 'e')
) AS cell
WHERE cell.is_allowed IS NOT NULL
ORDER BY cell.kind, cell.names, cell.arguments, cell.column_name, cell.privilege, cell.role
