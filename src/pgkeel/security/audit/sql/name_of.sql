-- utility: what the log calls a table; a partition goes by the name of the whole
CREATE OR REPLACE FUNCTION audit.name_of(given oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT namespace.nspname || '.' || relation.relname
    FROM pg_class AS relation JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE relation.oid = coalesce(pg_partition_root(given), given)
$body$;
