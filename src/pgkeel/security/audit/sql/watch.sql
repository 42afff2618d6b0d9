-- utility: makes the functions and triggers of one table, and remembers it
CREATE OR REPLACE FUNCTION audit.watch(target regclass, masked text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    stem text := audit.write_functions(target, masked);
    is_parted boolean := (SELECT relkind = 'p' FROM pg_class WHERE oid = target);
    part regclass;
BEGIN
    -- first, so that the event trigger knows what the statements below are about
    INSERT INTO audit.watched (table_name, masked, known, shape, written)
    VALUES (audit.name_of(target), masked, audit.columns_of(target), audit.shape_of(target), audit.shape_of(target))
    ON CONFLICT (table_name) DO UPDATE SET masked = EXCLUDED.masked, known = EXCLUDED.known, shape = EXCLUDED.shape,
        written = EXCLUDED.written;

    EXECUTE format('CREATE OR REPLACE TRIGGER pgkeel_audit_insert AFTER INSERT ON %%s %%s EXECUTE FUNCTION audit.%%I()', target,
        CASE WHEN is_parted THEN 'FOR EACH ROW' ELSE 'REFERENCING NEW TABLE AS written FOR EACH STATEMENT' END, stem || '_insert');
    EXECUTE format('CREATE OR REPLACE TRIGGER pgkeel_audit_update AFTER UPDATE ON %%s FOR EACH ROW EXECUTE FUNCTION audit.%%I()', target,
        stem || '_update');
    EXECUTE format('CREATE OR REPLACE TRIGGER pgkeel_audit_delete AFTER DELETE ON %%s %%s EXECUTE FUNCTION audit.%%I()', target,
        CASE WHEN is_parted THEN 'FOR EACH ROW' ELSE 'REFERENCING OLD TABLE AS gone FOR EACH STATEMENT' END, stem || '_delete');
    -- foreign ones have no such trigger before PostgreSQL 16
    FOR part IN SELECT target UNION SELECT relid FROM pg_partition_tree(target) JOIN pg_class ON oid = relid WHERE relkind <> 'f' LOOP
        PERFORM audit.watch_truncate(part);
    END LOOP;
    EXECUTE format('ALTER TABLE %%s ENABLE ALWAYS TRIGGER pgkeel_audit_insert, ENABLE ALWAYS TRIGGER pgkeel_audit_update, '
        'ENABLE ALWAYS TRIGGER pgkeel_audit_delete', target); -- and of its partitions
    IF is_parted THEN
        PERFORM audit.let_owner(target);
    END IF;
END
$body$;
