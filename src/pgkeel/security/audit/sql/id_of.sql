-- utility: what a row's id is written from: its key, or every column of a table without one, 50 at a time, for no function takes more than
-- 100 arguments; `called` is the row's name
CREATE OR REPLACE FUNCTION audit.id_of(target regclass, called text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT CASE WHEN sum(part.columns) = 1 THEN min(part.list) || '::text'
                WHEN count(*) = 1 THEN 'concat_ws('','', ' || min(part.list) || ')'
                ELSE 'concat_ws('','', ' || string_agg('nullif(concat_ws('','', ' || part.list || '), '''')', ', ' ORDER BY part.place) || ')' END
    FROM (SELECT (named.place - 1) / 50 AS place, count(*) AS columns,
                 string_agg(format('%%s.%%I', called, named.name), ', ' ORDER BY named.place) AS list
          FROM unnest(coalesce(audit.key_of(target), audit.columns_of(target))) WITH ORDINALITY AS named (name, place)
          GROUP BY 1) AS part
$body$;
