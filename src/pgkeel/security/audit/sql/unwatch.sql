-- utility: takes the triggers and functions of one table away
CREATE OR REPLACE FUNCTION audit.unwatch(given text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT trigger.tgname, trigger.tgrelid::regclass AS target, trigger.tgfoid::regprocedure AS called, proc.proname
        FROM pg_trigger AS trigger
        JOIN pg_proc AS proc ON proc.oid = trigger.tgfoid
        JOIN pg_class AS relation ON relation.oid = trigger.tgrelid
        JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
        WHERE trigger.tgname LIKE 'pgkeel\_audit\_%%' AND namespace.nspname || '.' || relation.relname = given
    LOOP
        EXECUTE format('DROP TRIGGER %%I ON %%s', found.tgname, found.target);
        IF found.proname <> 'note_truncate' THEN
            EXECUTE format('DROP FUNCTION %%s', found.called);
        END IF;
    END LOOP;
    DELETE FROM audit.watched WHERE table_name = given;
END
$body$;
