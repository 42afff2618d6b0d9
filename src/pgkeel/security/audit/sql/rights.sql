-- utility: the rights on every object that has other than the usual ones, and on all of this database that the system did not bring
CREATE OR REPLACE VIEW audit.rights AS
SELECT item.classid, item.objid, item.subid, coalesce(item.acl, acldefault(item.letter, item.owner)) AS acl,
       acldefault(item.letter, item.owner) AS usual, item.changed
FROM (
    SELECT 'pg_class'::regclass::oid AS classid, oid AS objid, 0 AS subid, relacl AS acl,
           CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char" AS letter, relowner AS owner, xmin AS changed, oid >= 16384 AS is_ours
    FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND relpersistence <> 't'
    UNION ALL
    SELECT 'pg_class'::regclass, attrelid, attnum::integer, attacl, 'c', 0::oid, xmin, false FROM pg_attribute WHERE NOT attisdropped
    UNION ALL
    SELECT 'pg_proc'::regclass, oid, 0, proacl, 'f', proowner, xmin, oid >= 16384 FROM pg_proc
    UNION ALL
    SELECT 'pg_namespace'::regclass, oid, 0, nspacl, 'n', nspowner, xmin, oid >= 16384 FROM pg_namespace WHERE nspname NOT LIKE 'pg\_t%%'
    UNION ALL
    SELECT 'pg_type'::regclass, oid, 0, typacl, 'T', typowner, xmin, false FROM pg_type
    UNION ALL
    SELECT 'pg_database'::regclass, oid, 0, datacl, 'd', datdba, xmin, true FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'pg_language'::regclass, oid, 0, lanacl, 'l', lanowner, xmin, false FROM pg_language
    UNION ALL
    SELECT 'pg_foreign_server'::regclass, oid, 0, srvacl, 'S', srvowner, xmin, false FROM pg_foreign_server
    UNION ALL
    SELECT 'pg_foreign_data_wrapper'::regclass, oid, 0, fdwacl, 'F', fdwowner, xmin, false FROM pg_foreign_data_wrapper
    UNION ALL
    SELECT 'pg_default_acl'::regclass, oid, 0, defaclacl,
           CASE WHEN defaclnamespace <> 0 THEN 'c' WHEN defaclobjtype = 'S' THEN 's' ELSE defaclobjtype END, defaclrole, xmin, false
    FROM pg_default_acl
) AS item
WHERE item.acl IS NOT NULL OR item.is_ours;
