-- utility: makes the functions and triggers of one table, and remembers it
CREATE OR REPLACE FUNCTION audit.watch(target regclass, masked text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    stem text := audit.write_functions(target, masked);
BEGIN
    -- first, so that the event trigger knows what the statements below are about
    INSERT INTO audit.watched (table_name, masked, known, shape)
    SELECT namespace.nspname || '.' || relation.relname, masked, audit.columns_of(target), audit.shape_of(target)
    FROM pg_class AS relation JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE relation.oid = target
    ON CONFLICT (table_name) DO UPDATE SET masked = EXCLUDED.masked, known = EXCLUDED.known, shape = EXCLUDED.shape;

    EXECUTE format('CREATE OR REPLACE TRIGGER pgkeel_audit_insert AFTER INSERT ON %%s REFERENCING NEW TABLE AS written '
        'FOR EACH STATEMENT EXECUTE FUNCTION audit.%%I()', target, stem || '_insert');
    EXECUTE format('CREATE OR REPLACE TRIGGER pgkeel_audit_update AFTER UPDATE ON %%s '
        'FOR EACH ROW EXECUTE FUNCTION audit.%%I()', target, stem || '_update');
    EXECUTE format('CREATE OR REPLACE TRIGGER pgkeel_audit_delete AFTER DELETE ON %%s REFERENCING OLD TABLE AS gone '
        'FOR EACH STATEMENT EXECUTE FUNCTION audit.%%I()', target, stem || '_delete');
    EXECUTE format('CREATE OR REPLACE TRIGGER pgkeel_audit_truncate AFTER TRUNCATE ON %%s '
        'FOR EACH STATEMENT EXECUTE FUNCTION audit.note_truncate()', target);
    EXECUTE format('ALTER TABLE %%s ENABLE ALWAYS TRIGGER pgkeel_audit_insert, ENABLE ALWAYS TRIGGER pgkeel_audit_update, '
        'ENABLE ALWAYS TRIGGER pgkeel_audit_delete, ENABLE ALWAYS TRIGGER pgkeel_audit_truncate', target);
END
$body$;
