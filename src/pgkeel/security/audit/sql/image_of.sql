-- utility: what a whole row is written from: clear columns as they are, masked ones as "changed"; `called` is the row's name
CREATE OR REPLACE FUNCTION audit.image_of(target regclass, masked text[], called text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT 'jsonb_strip_nulls(jsonb_build_object(' || string_agg(
               CASE WHEN named.name = ANY (masked)
                    THEN format('%%L, CASE WHEN %%s.%%I IS NOT NULL THEN ''changed'' END', named.name, called, named.name)
                    ELSE format('%%L, %%s.%%I', named.name, called, named.name) END, ', ' ORDER BY named.place) || '))'
    FROM unnest(audit.columns_of(target)) WITH ORDINALITY AS named (name, place)
$body$;
