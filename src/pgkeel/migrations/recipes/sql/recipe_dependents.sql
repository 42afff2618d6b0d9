-- one row: something that rests on a column, and the SQL that makes it
WITH resting AS (
    SELECT DISTINCT classid, objid FROM pg_depend
    WHERE refclassid = 'pg_class'::regclass AND refobjid = %(table)s::oid AND refobjsubid = %(column)s
)
SELECT kind, name, sql, definition FROM (
    SELECT 'index' AS kind, class.relname::text AS name, quote_ident(class.relname) AS sql, pg_get_indexdef(class.oid) AS definition
    FROM resting JOIN pg_class AS class ON resting.classid = 'pg_class'::regclass AND class.oid = resting.objid
    WHERE class.relkind IN ('i', 'I')
    UNION ALL
    SELECT CASE WHEN contype = 'f' AND confrelid = %(table)s::oid AND %(column)s = ANY (confkey) THEN 'referenced'
                ELSE CASE contype WHEN 'p' THEN 'primary' WHEN 'u' THEN 'unique' WHEN 'x' THEN 'exclusion'
                                  WHEN 'c' THEN 'check' ELSE 'foreign' END END,
           CASE WHEN conrelid = %(table)s::oid THEN conname::text ELSE concat_ws('.', conrelid::regclass, conname) END,
           quote_ident(conname), pg_get_constraintdef(pg_constraint.oid)
    FROM resting JOIN pg_constraint ON resting.classid = 'pg_constraint'::regclass AND pg_constraint.oid = resting.objid
    WHERE contype IN ('p', 'u', 'x', 'c', 'f') AND conparentid = 0
    UNION ALL
    SELECT CASE class.relkind WHEN 'v' THEN 'view' ELSE 'materialised view' END, class.oid::regclass::text, class.oid::regclass::text,
           format(E'CREATE OR REPLACE VIEW %%s%%s AS\n%%s', class.oid::regclass,
               ' WITH (' || array_to_string(class.reloptions, ', ') || ')', pg_get_viewdef(class.oid))
    FROM resting
    JOIN pg_rewrite ON resting.classid = 'pg_rewrite'::regclass AND pg_rewrite.oid = resting.objid
    JOIN pg_class AS class ON class.oid = pg_rewrite.ev_class AND class.relkind IN ('v', 'm')
    UNION ALL
    SELECT 'policy', polname::text, quote_ident(polname), ''
    FROM resting JOIN pg_policy ON resting.classid = 'pg_policy'::regclass AND pg_policy.oid = resting.objid
    UNION ALL
    SELECT 'trigger', tgname::text, quote_ident(tgname), pg_get_triggerdef(pg_trigger.oid)
    FROM resting JOIN pg_trigger ON resting.classid = 'pg_trigger'::regclass AND pg_trigger.oid = resting.objid
    WHERE NOT tgisinternal
    UNION ALL
    SELECT 'statistics', stxname::text, quote_ident(stxname), ''
    FROM resting JOIN pg_statistic_ext ON resting.classid = 'pg_statistic_ext'::regclass AND pg_statistic_ext.oid = resting.objid
    UNION ALL
    SELECT 'publication', pubname::text, quote_ident(pubname), ''
    FROM resting JOIN pg_publication_rel ON resting.classid = 'pg_publication_rel'::regclass AND pg_publication_rel.oid = resting.objid
    JOIN pg_publication ON pg_publication.oid = prpubid
    UNION ALL
    SELECT 'generated column', attname::text, quote_ident(attname), ''
    FROM resting
    JOIN pg_attrdef ON resting.classid = 'pg_attrdef'::regclass AND pg_attrdef.oid = resting.objid AND adnum <> %(column)s
    JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
) AS found
ORDER BY kind, name
