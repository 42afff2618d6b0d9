-- utility: takes the triggers of one table away, and every function that no table calls any more
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
    FOR found IN
        SELECT proc.oid::regprocedure AS called
        FROM pg_proc AS proc
        WHERE proc.pronamespace = 'audit'::regnamespace AND proc.proname ~ '__.*_[0-9]+_(insert|update|delete)$'
          AND NOT EXISTS (SELECT FROM pg_trigger AS trigger WHERE trigger.tgfoid = proc.oid)
    LOOP
        EXECUTE format('DROP FUNCTION %%s', found.called);
    END LOOP;
    DELETE FROM audit.watched WHERE table_name = given;
END
$body$;
