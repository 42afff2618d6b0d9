-- one row: an object that rests on another; rules, defaults and row types stand for their view, column and table
SELECT DISTINCT
       coalesce(source.class, pg_depend.classid)::bigint AS class, coalesce(source.id, pg_depend.objid)::bigint AS id,
       coalesce(source.sub, pg_depend.objsubid) AS sub,
       coalesce(target.class, pg_depend.refclassid)::bigint AS on_class, coalesce(target.id, pg_depend.refobjid)::bigint AS on_id,
       coalesce(target.sub, pg_depend.refobjsubid) AS on_sub,
       pg_depend.deptype::text AS type
FROM pg_depend
LEFT JOIN LATERAL (
    SELECT 'pg_class'::regclass::oid AS class, pg_rewrite.ev_class AS id, 0 AS sub
    FROM pg_rewrite WHERE pg_depend.classid = 'pg_rewrite'::regclass AND pg_rewrite.oid = pg_depend.objid
    UNION ALL
    SELECT 'pg_class'::regclass, pg_attrdef.adrelid, pg_attrdef.adnum
    FROM pg_attrdef WHERE pg_depend.classid = 'pg_attrdef'::regclass AND pg_attrdef.oid = pg_depend.objid
) AS source ON true
LEFT JOIN LATERAL (
    SELECT CASE WHEN element.typrelid <> 0 AND relation.relkind <> 'c' THEN 'pg_class'::regclass::oid
                ELSE 'pg_type'::regclass::oid END AS class,
           CASE WHEN element.typrelid <> 0 AND relation.relkind <> 'c' THEN element.typrelid ELSE element.oid END AS id,
           0 AS sub
    FROM pg_type AS given
    JOIN pg_type AS element ON element.oid = CASE WHEN given.typcategory = 'A' THEN given.typelem ELSE given.oid END
    LEFT JOIN pg_class AS relation ON relation.oid = element.typrelid
    WHERE pg_depend.refclassid = 'pg_type'::regclass AND given.oid = pg_depend.refobjid
) AS target ON true
WHERE pg_depend.objid >= 16384
  AND pg_depend.deptype IN ('n', 'a', 'i', 'P', 'S')
ORDER BY 1, 2, 3, 4, 5, 6
