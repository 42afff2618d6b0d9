-- one row: a sequence, with the column that owns it
SELECT relation.tableoid AS class, relation.oid AS id, 0 AS sub,
       format('%%I.%%I', namespace.nspname, relation.relname) AS name,
       format('CREATE SEQUENCE %%I.%%I %%s', namespace.nspname, relation.relname, shape.text) AS made,
       format('DROP SEQUENCE %%I.%%I', namespace.nspname, relation.relname) AS dropped,
       jsonb_build_object(
           'altered', format('ALTER SEQUENCE %%I.%%I %%s', namespace.nspname, relation.relname, shape.text),
           'owned', (
               SELECT format('ALTER SEQUENCE %%I.%%I OWNED BY %%s.%%I', namespace.nspname, relation.relname,
                   pg_depend.refobjid::regclass, attribute.attname)
               FROM pg_depend
               JOIN pg_attribute AS attribute ON attribute.attrelid = pg_depend.refobjid AND attribute.attnum = pg_depend.refobjsubid
               WHERE pg_depend.objid = relation.oid AND pg_depend.classid = relation.tableoid AND pg_depend.deptype = 'a'
           )) AS facts
FROM pg_sequence
JOIN pg_class AS relation ON relation.oid = pg_sequence.seqrelid
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
CROSS JOIN LATERAL (
    SELECT format('AS %%s INCREMENT BY %%s MINVALUE %%s MAXVALUE %%s START WITH %%s %%s', format_type(pg_sequence.seqtypid, NULL),
        pg_sequence.seqincrement, pg_sequence.seqmin, pg_sequence.seqmax, pg_sequence.seqstart,
        CASE WHEN pg_sequence.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END) AS text
) AS shape
WHERE namespace.nspname = ANY (%(schemas)s)
ORDER BY name
