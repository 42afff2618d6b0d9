-- utility: what a row's id is written from: its key, or every column of a table without one; `called` is the row's name
CREATE OR REPLACE FUNCTION audit.id_of(target regclass, called text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT CASE count(*) WHEN 1 THEN format('%%s.%%I::text', called, min(named.name))
           ELSE 'concat_ws('','', ' || string_agg(format('%%s.%%I', called, named.name), ', ' ORDER BY named.place) || ')' END
    FROM unnest(coalesce(audit.key_of(target), audit.columns_of(target))) WITH ORDINALITY AS named (name, place)
$body$;
