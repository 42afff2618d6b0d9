-- Up Migration
BEGIN;
-- A name that no table has is refused, not counted up for nobody: whoever mistypes it would be served old rows. Tables of public have
-- one name, with the schema or without.
CREATE OR REPLACE FUNCTION pgkeel.cache_bump(VARIADIC relations text[] DEFAULT '{*}') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    unknown text := (SELECT min(given) FROM unnest(cache_bump.relations) AS given WHERE given <> '*' AND NOT EXISTS (
                         SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                         WHERE given IN (relname, nspname || '.' || relname) AND relname = regexp_replace(given, '^[^.]*[.]', '')));
BEGIN
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'there is no table %', unknown
            USING ERRCODE = 'undefined_table', HINT = 'SELECT pgkeel.cache_bump() lets caches forget everything.';
    END IF;
    INSERT INTO pgkeel.cache_generation AS known (relation)
    SELECT DISTINCT regexp_replace(given, '^public[.]', '') AS name FROM unnest(cache_bump.relations) AS given ORDER BY name
    ON CONFLICT (relation) DO UPDATE SET generation = known.generation + 1;
END $function$;
COMMIT;

-- Down Migration
BEGIN;
CREATE OR REPLACE FUNCTION pgkeel.cache_bump(VARIADIC relations text[] DEFAULT '{*}') RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
    INSERT INTO pgkeel.cache_generation AS known (relation)
    SELECT DISTINCT given FROM unnest(cache_bump.relations) AS given ORDER BY given
    ON CONFLICT (relation) DO UPDATE SET generation = known.generation + 1
$function$;
COMMIT;
