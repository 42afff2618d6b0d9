-- utility: what a whole row is written from, 50 columns at a time, for no function takes more than 100 arguments: clear ones as they are,
-- masked ones as "changed"; `called` is the row's name
CREATE OR REPLACE FUNCTION audit.image_of(target regclass, masked text[], called text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT 'jsonb_strip_nulls(' || string_agg('jsonb_build_object(' || part.list || ')', ' || ' ORDER BY part.place) || ')'
    FROM (SELECT (named.place - 1) / 50 AS place, string_agg(
                     CASE WHEN named.name = ANY (masked)
                          THEN format('%%L, CASE WHEN %%s.%%I IS NOT NULL THEN ''changed'' END', named.name, called, named.name)
                          ELSE format('%%L, %%s', named.name, audit.value_of(target, called, named.name)) END, ', ' ORDER BY named.place) AS list
          FROM unnest(audit.columns_of(target)) WITH ORDINALITY AS named (name, place)
          GROUP BY 1) AS part
$body$;
