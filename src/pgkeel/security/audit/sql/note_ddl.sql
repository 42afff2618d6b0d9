-- utility: writes down what DDL and GRANT did: a disabled trigger, a dropped table, a new right
CREATE OR REPLACE FUNCTION audit.note_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    INSERT INTO audit.log (actor, table_name, operation, after)
    SELECT nullif(current_setting('pgkeel.actor', true), ''),
           coalesce(command.object_identity, command.object_type, tg_tag), 'ddl',
           jsonb_build_object('command', command.command_tag, 'object', command.object_type)
    FROM pg_event_trigger_ddl_commands() AS command
    WHERE coalesce(command.schema_name, '') NOT LIKE 'pg\_temp%%' AND coalesce(command.object_identity, '') NOT LIKE 'pg\_temp%%';
END
$body$;
