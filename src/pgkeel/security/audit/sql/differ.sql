-- utility: whether any of some columns changed, from their old values and, behind them, their new ones; written into who calls it
CREATE OR REPLACE FUNCTION audit.differ(names text[], both_values anyarray) RETURNS boolean LANGUAGE sql IMMUTABLE AS $body$
    SELECT both_values[:pg_catalog.cardinality(names)] IS DISTINCT FROM both_values[pg_catalog.cardinality(names) + 1:]
$body$;
