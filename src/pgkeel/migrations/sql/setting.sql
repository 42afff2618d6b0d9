-- one row: who this session acts as, the roles that rights name here, and the SQL that gives another database the same default rights
WITH acl AS (
    SELECT nspname, (aclexplode(nspacl)).* FROM pg_namespace WHERE nspname = ANY (%(schemas)s)
), default_acl AS (
    SELECT defaclrole, defaclnamespace, defaclobjtype, defaclacl
    FROM pg_default_acl
    WHERE defaclrole = current_user::regrole
      AND (defaclnamespace = 0 OR defaclnamespace IN (SELECT oid FROM pg_namespace WHERE nspname = ANY (%(schemas)s)))
), object AS (
    SELECT * FROM (VALUES ('r', 'TABLES'), ('S', 'SEQUENCES'), ('f', 'FUNCTIONS'), ('T', 'TYPES'), ('n', 'SCHEMAS')) AS v (code, word)
), named AS (
    SELECT grantee AS role FROM acl
    UNION SELECT defaclrole FROM default_acl
    UNION SELECT (aclexplode(defaclacl)).grantee FROM default_acl
    UNION SELECT (aclexplode(relacl)).grantee FROM pg_class
        WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname = ANY (%(schemas)s))
    UNION SELECT current_user::regrole
)
SELECT current_user::text AS role,
       (SELECT coalesce(array_agg(rolname::text ORDER BY rolname), '{}')
        FROM pg_roles WHERE oid IN (SELECT role FROM named) AND rolname NOT LIKE 'pg\_%%') AS roles,
       ARRAY (
           SELECT text FROM (
               SELECT 1 AS place, format('CREATE SCHEMA IF NOT EXISTS %%I', name) AS text FROM unnest(%(schemas)s::text[]) AS name
               UNION ALL
               SELECT 1, format('ALTER SCHEMA %%I OWNER TO %%s', nspname, nspowner::regrole) FROM pg_namespace
               WHERE nspname = ANY (%(schemas)s) AND nspowner = current_user::regrole
               UNION ALL
               SELECT 2, format('REVOKE ALL ON SCHEMA %%I FROM PUBLIC', name) FROM unnest(%(schemas)s::text[]) AS name
               UNION ALL
               SELECT 3, format('GRANT %%s ON SCHEMA %%I TO %%s', privilege_type, nspname,
                   CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END) FROM acl
               UNION ALL
               SELECT 5, format('ALTER DEFAULT PRIVILEGES FOR ROLE %%s REVOKE ALL ON %%s FROM PUBLIC', defaclrole::regrole, word)
               FROM default_acl JOIN object ON object.code = defaclobjtype::text WHERE defaclnamespace = 0
               UNION ALL
               SELECT 6, format('ALTER DEFAULT PRIVILEGES FOR ROLE %%s%%s GRANT %%s ON %%s TO %%s', defaclrole::regrole,
                   ' IN SCHEMA ' || nullif(defaclnamespace, 0)::regnamespace, given.privilege_type, word,
                   CASE given.grantee WHEN 0 THEN 'PUBLIC' ELSE given.grantee::regrole::text END)
               FROM default_acl JOIN object ON object.code = defaclobjtype::text, aclexplode(defaclacl) AS given
           ) AS step ORDER BY place, text
       ) AS statements
ORDER BY 1
