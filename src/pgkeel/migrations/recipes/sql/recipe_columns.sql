-- one row: a column of a table
SELECT attribute.attname::text AS name,
       quote_ident(attribute.attname) AS sql,
       attribute.attnum::integer AS number,
       concat_ws(' COLLATE ', format_type(attribute.atttypid, attribute.atttypmod),
           CASE WHEN attribute.attcollation <> pg_type.typcollation THEN attribute.attcollation::regcollation::text END) AS type,
       attribute.attnotnull AS is_not_null,
       CASE WHEN attribute.attgenerated = '' THEN pg_get_expr(pg_attrdef.adbin, pg_attrdef.adrelid) END AS "default",
       attribute.attidentity <> '' AS is_identity,
       attribute.attgenerated <> '' AS is_generated,
       attribute.attacl IS NOT NULL AS has_grants,
       col_description(attribute.attrelid, attribute.attnum) AS comment,
       coalesce(base.typname, pg_type.typname) NOT IN ('json', 'xml', 'point', 'polygon', 'path') AS is_comparable,
       EXISTS (SELECT FROM pg_depend JOIN pg_class AS sequence ON sequence.oid = pg_depend.objid AND sequence.relkind = 'S'
               WHERE pg_depend.classid = 'pg_class'::regclass AND pg_depend.refclassid = 'pg_class'::regclass
                 AND pg_depend.refobjid = attribute.attrelid AND pg_depend.refobjsubid = attribute.attnum) AS owns_sequence,
       EXISTS (SELECT FROM pg_partitioned_table
               WHERE partrelid = attribute.attrelid AND attribute.attnum = ANY (partattrs)) AS is_partition_key
FROM pg_attribute AS attribute
JOIN pg_type ON pg_type.oid = attribute.atttypid
LEFT JOIN pg_type AS base ON base.oid = nullif(pg_type.typbasetype, 0)
LEFT JOIN pg_attrdef ON pg_attrdef.adrelid = attribute.attrelid AND pg_attrdef.adnum = attribute.attnum
WHERE attribute.attrelid = %(table)s::oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
ORDER BY attribute.attnum
