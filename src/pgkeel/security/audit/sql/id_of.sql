-- utility: what a row's id is written from: its key, or every column of a table without one, 50 at a time, for no function takes more than
-- 100 arguments; a masked column is no part of it, and a time is the same whoever writes; `called` is the row's name
DROP FUNCTION IF EXISTS audit.id_of(regclass, text); -- an older version's, which knew of no masks
CREATE OR REPLACE FUNCTION audit.id_of(target regclass, masked text[], called text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT CASE WHEN count(*) = 0 THEN 'NULL'
                WHEN sum(part.columns) = 1 THEN '(' || min(part.list) || ')::text'
                WHEN count(*) = 1 THEN 'concat_ws('','', ' || min(part.list) || ')'
                ELSE 'concat_ws('','', ' || string_agg('nullif(concat_ws('','', ' || part.list || '), '''')', ', ' ORDER BY part.place) || ')' END
    FROM (SELECT (named.place - 1) / 50 AS place, count(*) AS columns,
                 string_agg(format(CASE attribute.atttypid
                                       WHEN 'date'::regtype THEN 'to_jsonb(%%s.%%I) #>> ''{}'''
                                       WHEN 'timestamp'::regtype THEN 'translate(to_jsonb(%%s.%%I) #>> ''{}'', ''T'', '' '')'
                                       WHEN 'timestamptz'::regtype
                                       THEN 'translate(to_jsonb(%%s.%%I AT TIME ZONE ''UTC'') #>> ''{}'', ''T'', '' '') || ''+00'''
                                       ELSE '%%s.%%I' END, called, named.name), ', ' ORDER BY named.place) AS list
          FROM unnest(coalesce(audit.key_of(target), audit.columns_of(target))) WITH ORDINALITY AS named (name, place)
          JOIN pg_attribute AS attribute ON attribute.attrelid = target AND attribute.attname = named.name
          WHERE named.name <> ALL (masked)
          GROUP BY 1) AS part
$body$;
