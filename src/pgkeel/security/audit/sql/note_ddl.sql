-- utility: writes down what DDL did, and who was granted what (a GRANT that changes nothing names no object), and follows the columns of watched tables: new ones are masked until they are declared
CREATE OR REPLACE FUNCTION audit.note_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    changed record;
BEGIN
    IF tg_tag IN ('GRANT', 'REVOKE', 'ALTER DEFAULT PRIVILEGES') AND audit.note_rights(tg_tag, true) > 0 THEN
        RETURN;
    ELSIF tg_tag ~ '^CREATE (TABLE|VIEW|MATERIALIZED|FOREIGN|SEQUENCE|FUNCTION|PROCEDURE|SCHEMA)' THEN -- default privileges
        PERFORM audit.note_rights(NULL, true);
    END IF;
    INSERT INTO audit.written (actor, table_name, operation, after)
    SELECT nullif(current_setting('pgkeel.actor', true), ''),
           coalesce(command.object_identity, command.object_type, tg_tag), 'ddl',
           jsonb_build_object('command', command.command_tag, 'object', command.object_type)
    FROM pg_event_trigger_ddl_commands() AS command
    WHERE coalesce(command.schema_name, '') NOT LIKE 'pg\_temp%%' AND coalesce(command.object_identity, '') NOT LIKE 'pg\_temp%%';
    IF tg_tag <> 'ALTER TABLE' THEN
        RETURN;
    END IF;
    FOR changed IN
        SELECT relation.oid::regclass AS target, relation.relkind, watched.masked, watched.known, watched.shape
        FROM pg_event_trigger_ddl_commands() AS command
        JOIN pg_class AS relation ON relation.oid = command.objid AND command.classid = 'pg_class'::regclass
        JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
        JOIN audit.watched AS watched ON watched.table_name = namespace.nspname || '.' || relation.relname
    LOOP
        IF changed.shape <> audit.shape_of(changed.target) THEN
            PERFORM audit.write_functions(changed.target, changed.masked || ARRAY(
                SELECT name FROM unnest(audit.columns_of(changed.target)) AS named (name) WHERE name <> ALL (changed.known)));
        END IF;
        IF changed.relkind = 'p' THEN
            PERFORM audit.let_owner(changed.target);
        END IF;
    END LOOP;
END
$body$;
