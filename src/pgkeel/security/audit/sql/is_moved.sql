-- utility: whether the log was restored into another cluster, where the numbers of transactions and objects are others
CREATE OR REPLACE FUNCTION audit.is_moved() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT control.system_identifier <> (SELECT epoch.system FROM audit.epoch ORDER BY epoch.epoch DESC LIMIT 1)
    FROM pg_control_system() AS control
$body$;
