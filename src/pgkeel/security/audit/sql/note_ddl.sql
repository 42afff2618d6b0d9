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
    IF tg_tag !~ '^(ALTER|DROP) ' THEN
        RETURN;
    END IF;
    -- all tables, for columns also change with a table that they are inherited from and go with their type; a name that went is not known
    -- any more, for what has it next may be what was another
    FOR changed IN
        SELECT relation.oid::regclass AS target, watched.table_name, watched.masked, audit.columns_of(relation.oid) AS columns,
               ARRAY(SELECT name FROM unnest(watched.known) AS named (name) WHERE name = ANY (audit.columns_of(relation.oid))) AS known
        FROM audit.watched AS watched
        JOIN pg_class AS relation JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
            ON watched.table_name = namespace.nspname || '.' || relation.relname
        WHERE coalesce(watched.written, watched.shape) <> audit.shape_of(relation.oid)
    LOOP
        PERFORM audit.write_functions(changed.target, changed.masked || ARRAY(
            SELECT name FROM unnest(changed.columns) AS named (name) WHERE name <> ALL (changed.known)));
        UPDATE audit.watched SET known = changed.known, written = audit.shape_of(changed.target) WHERE table_name = changed.table_name;
    END LOOP;
    PERFORM audit.let_owner(relation.oid)
    FROM pg_event_trigger_ddl_commands() AS command
    JOIN pg_class AS relation ON relation.oid = command.objid AND command.classid = 'pg_class'::regclass AND relation.relkind = 'p'
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    JOIN audit.watched AS watched ON watched.table_name = namespace.nspname || '.' || relation.relname;
END
$body$;
