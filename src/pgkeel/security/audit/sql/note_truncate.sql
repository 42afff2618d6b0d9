-- utility: writes down that a table was emptied
CREATE OR REPLACE FUNCTION audit.note_truncate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    INSERT INTO audit.written (actor, table_name, operation)
    VALUES (nullif(current_setting('pgkeel.actor', true), ''), tg_table_schema || '.' || tg_table_name, 'truncate');
    RETURN NULL;
END
$body$;
