-- utility: of columns of one type those that changed, from their old values and, behind them, their new ones; written into who calls it,
-- whatever his search_path is
CREATE OR REPLACE FUNCTION audit.changed(names text[], both_values anyarray) RETURNS TABLE (name text, old jsonb, new jsonb)
LANGUAGE sql STABLE AS $body$
    SELECT value.name, coalesce(pg_catalog.to_jsonb(value.old), 'null'), coalesce(pg_catalog.to_jsonb(value.new), 'null')
    FROM (SELECT pg_catalog.unnest(names) AS name, pg_catalog.unnest(both_values[:pg_catalog.cardinality(names)]) AS old,
                 pg_catalog.unnest(both_values[pg_catalog.cardinality(names) OPERATOR(pg_catalog.+) 1:]) AS new) AS value
    WHERE (value.old OPERATOR(pg_catalog.=) value.new) IS NOT TRUE AND NOT (value.old IS NULL AND value.new IS NULL)
$body$;
