-- utility: takes the triggers of one table away
CREATE OR REPLACE FUNCTION audit.unwatch(given text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT trigger.tgname, part.oid::regclass AS target
        FROM pg_class AS relation
        JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
        CROSS JOIN LATERAL (SELECT relation.oid UNION SELECT relid FROM pg_partition_tree(relation.oid)) AS part (oid)
        JOIN pg_trigger AS trigger ON trigger.tgrelid = part.oid AND trigger.tgparentid = 0
        WHERE trigger.tgname LIKE 'pgkeel\_audit\_%%' AND namespace.nspname || '.' || relation.relname = given
    LOOP
        EXECUTE format('DROP TRIGGER %%I ON %%s', found.tgname, found.target);
    END LOOP;
    DELETE FROM audit.watched WHERE table_name = given;
END
$body$;
