-- utility: the cluster and the database, whatever it is called
CREATE OR REPLACE FUNCTION audit.place() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT control.system_identifier || '/' || pg_database.oid
    FROM pg_control_system() AS control, pg_database WHERE pg_database.datname = current_database()
$body$;
