-- utility: what the value of a column is written from
CREATE OR REPLACE FUNCTION audit.value_of(target regclass, called text, named text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT format(CASE WHEN 'json'::regtype IN (type.oid, type.typbasetype) THEN 'audit.in_json(%%s.%%I)' ELSE '%%s.%%I' END, called, named)
    FROM pg_attribute JOIN pg_type AS type ON type.oid = atttypid WHERE attrelid = target AND attname = named
$body$;
