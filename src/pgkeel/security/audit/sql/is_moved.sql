-- utility: whether the log was restored into another database, where the numbers of transactions and objects are others
CREATE OR REPLACE FUNCTION audit.is_moved() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT audit.place() <> (SELECT epoch.place FROM audit.epoch ORDER BY epoch.epoch DESC LIMIT 1)
$body$;
