-- utility: whether any of some columns changed, from their old values and, behind them, their new ones; written into who calls it, whatever
-- his search_path is
CREATE OR REPLACE FUNCTION audit.differ(names text[], both_values anyarray) RETURNS boolean LANGUAGE sql IMMUTABLE AS $body$
    SELECT both_values[:pg_catalog.cardinality(names)]
           OPERATOR(pg_catalog.<>) both_values[pg_catalog.cardinality(names) OPERATOR(pg_catalog.+) 1:]
$body$;
