-- utility: writes down what was dropped
CREATE OR REPLACE FUNCTION audit.note_drop() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    INSERT INTO audit.written (actor, table_name, operation, after)
    SELECT nullif(current_setting('pgkeel.actor', true), ''), dropped.object_identity, 'ddl',
           jsonb_build_object('command', tg_tag, 'object', dropped.object_type)
    FROM pg_event_trigger_dropped_objects() AS dropped
    WHERE dropped.original AND NOT dropped.is_temporary;
END
$body$;
