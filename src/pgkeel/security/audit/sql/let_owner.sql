-- utility: whoever makes a partition must be allowed to call the functions of the whole; that he may not name them keeps them from other
-- tables. `security roles` knows them by `_parts_` in their names
CREATE OR REPLACE FUNCTION audit.let_owner(target regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    called regprocedure;
BEGIN
    FOR called IN SELECT tgfoid FROM pg_trigger WHERE tgrelid = target AND tgname LIKE 'pgkeel\_audit\_%%' AND tgname NOT LIKE '%%truncate' LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %%s TO %%s', called, (SELECT relowner::regrole FROM pg_class WHERE oid = target));
    END LOOP;
END
$body$;
