-- Up Migration
BEGIN;
-- A statement that names a partition calls no trigger of the whole, and a row that an update moves to another partition is deleted here and
-- inserted there: a table of partitions is watched by the row, as a whole whichever part was named, with the partitions that come later.
CREATE OR REPLACE FUNCTION pgkeel.cache_watch(watched regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    most     constant integer := 500;
    whole    regclass := coalesce(pg_partition_root(watched), watched);
    is_whole boolean := NOT (SELECT relkind = 'p' FROM pg_class WHERE oid = whole);
    name     text := pgkeel.cache_relation(whole);
    note     text := pgkeel.cache_note_name(name);
    columns  text[] := (SELECT array_agg(quote_ident(attname) ORDER BY ordinality)
                        FROM pg_index, unnest(indkey) WITH ORDINALITY AS part (number, ordinality)
                        JOIN pg_attribute ON attnum = part.number
                        WHERE indrelid = whole AND indisprimary AND attrelid = whole);
    old_key  text := (SELECT string_agg('OLD.' || name_of, ', ') FROM unnest(columns) AS name_of);
    new_key  text := (SELECT string_agg('NEW.' || name_of, ', ') FROM unnest(columns) AS name_of);
    part     regclass;
BEGIN
    IF columns IS NULL THEN
        RAISE EXCEPTION '% has no primary key', watched USING ERRCODE = 'invalid_table_definition';
    END IF;
    PERFORM pgkeel.cache_unwatch(watched);
    EXECUTE format($create$
        CREATE FUNCTION pgkeel.%1$I() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
        BEGIN
            IF TG_OP = 'TRUNCATE' THEN
                INSERT INTO pgkeel.cache_outbox (relation) VALUES (%2$L);
            ELSIF TG_LEVEL = 'ROW' THEN
                INSERT INTO pgkeel.cache_outbox (relation, keys) VALUES (%2$L, CASE TG_OP
                    WHEN 'INSERT' THEN jsonb_build_array(jsonb_build_array(%4$s))
                    WHEN 'DELETE' THEN jsonb_build_array(jsonb_build_array(%3$s))
                    ELSE jsonb_build_array(jsonb_build_array(%4$s), jsonb_build_array(%3$s)) END);
            ELSE
                INSERT INTO pgkeel.cache_outbox (relation, keys)
                SELECT %2$L, CASE WHEN count(*) <= %6$s THEN jsonb_agg(noted.key) END
                FROM (SELECT jsonb_build_array(%5$s) AS key FROM written_rows LIMIT %6$s + 1) AS noted HAVING count(*) > 0;
            END IF;
            RETURN NULL;
        END $body$$create$, note, name, old_key, new_key, array_to_string(columns, ', '), most);
    EXECUTE format('REVOKE ALL ON FUNCTION pgkeel.%I() FROM PUBLIC', note);
    EXECUTE format('CREATE TRIGGER cache_note_insert AFTER INSERT ON %s %s EXECUTE FUNCTION pgkeel.%I()', whole,
        CASE WHEN is_whole THEN 'REFERENCING NEW TABLE AS written_rows FOR EACH STATEMENT' ELSE 'FOR EACH ROW' END, note);
    EXECUTE format('CREATE TRIGGER cache_note_update AFTER UPDATE ON %s %s EXECUTE FUNCTION pgkeel.%I()', whole,
        CASE WHEN is_whole THEN 'REFERENCING NEW TABLE AS written_rows FOR EACH STATEMENT' ELSE 'FOR EACH ROW' END, note);
    IF is_whole THEN
        EXECUTE format('CREATE TRIGGER cache_note_moved AFTER UPDATE ON %s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION pgkeel.%I()', whole,
            (SELECT string_agg(format('OLD.%1$s IS DISTINCT FROM NEW.%1$s', name_of), ' OR ') FROM unnest(columns) AS name_of), note);
    END IF;
    EXECUTE format('CREATE TRIGGER cache_note_delete AFTER DELETE ON %s %s EXECUTE FUNCTION pgkeel.%I()', whole,
        CASE WHEN is_whole THEN 'REFERENCING OLD TABLE AS written_rows FOR EACH STATEMENT' ELSE 'FOR EACH ROW' END, note);
    FOR part IN SELECT whole UNION SELECT relid FROM pg_partition_tree(whole) LOOP
        EXECUTE format('CREATE TRIGGER cache_note_truncate AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION pgkeel.%I()', part, note);
    END LOOP;
END $function$;

CREATE OR REPLACE FUNCTION pgkeel.cache_unwatch(watched regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    whole regclass := coalesce(pg_partition_root(watched), watched);
    found record;
BEGIN
    FOR found IN
        SELECT tgname, part FROM (SELECT whole UNION SELECT relid FROM pg_partition_tree(whole)) AS tree (part)
        JOIN pg_trigger ON tgrelid = part AND tgparentid = 0
        WHERE tgname IN ('cache_note_insert', 'cache_note_update', 'cache_note_moved', 'cache_note_delete', 'cache_note_truncate')
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.part);
    END LOOP;
    FOR found IN SELECT part FROM (SELECT whole UNION SELECT relid FROM pg_partition_tree(whole)) AS tree (part) LOOP
        EXECUTE format('DROP FUNCTION IF EXISTS pgkeel.%I()', pgkeel.cache_note_name(pgkeel.cache_relation(found.part)));
    END LOOP;
END $function$;

SELECT pgkeel.cache_watch(whole)
FROM (SELECT DISTINCT pg_partition_root(tgrelid) AS whole FROM pg_trigger WHERE tgname = 'cache_note_insert') AS watched
WHERE whole IS NOT NULL;
COMMIT;

-- Down Migration
BEGIN;
SELECT pgkeel.cache_unwatch(whole)
FROM (SELECT DISTINCT pg_partition_root(tgrelid) AS whole FROM pg_trigger WHERE tgname = 'cache_note_insert') AS watched
WHERE whole IS NOT NULL;

CREATE OR REPLACE FUNCTION pgkeel.cache_watch(watched regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    most    constant integer := 500;
    name    text := pgkeel.cache_relation(watched);
    note    text := pgkeel.cache_note_name(pgkeel.cache_relation(watched));
    columns text[] := (SELECT array_agg(quote_ident(attname) ORDER BY ordinality)
                       FROM pg_index, unnest(indkey) WITH ORDINALITY AS part (number, ordinality)
                       JOIN pg_attribute ON attnum = part.number
                       WHERE indrelid = watched AND indisprimary AND attrelid = watched);
BEGIN
    IF columns IS NULL THEN
        RAISE EXCEPTION '% has no primary key', watched USING ERRCODE = 'invalid_table_definition';
    END IF;
    PERFORM pgkeel.cache_unwatch(watched);
    EXECUTE format($create$
        CREATE FUNCTION pgkeel.%1$I() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
        BEGIN
            IF TG_OP = 'TRUNCATE' THEN
                INSERT INTO pgkeel.cache_outbox (relation) VALUES (%2$L);
            ELSIF TG_LEVEL = 'ROW' THEN
                INSERT INTO pgkeel.cache_outbox (relation, keys) VALUES (%2$L, jsonb_build_array(jsonb_build_array(%3$s)));
            ELSE
                INSERT INTO pgkeel.cache_outbox (relation, keys)
                SELECT %2$L, CASE WHEN count(*) <= %5$s THEN jsonb_agg(noted.key) END
                FROM (SELECT jsonb_build_array(%4$s) AS key FROM written_rows LIMIT %5$s + 1) AS noted HAVING count(*) > 0;
            END IF;
            RETURN NULL;
        END $body$$create$, note, name,
        (SELECT string_agg('OLD.' || name_of, ', ') FROM unnest(columns) AS name_of), array_to_string(columns, ', '), most);
    EXECUTE format('REVOKE ALL ON FUNCTION pgkeel.%I() FROM PUBLIC', note);
    EXECUTE format('CREATE TRIGGER cache_note_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS written_rows FOR EACH STATEMENT '
        'EXECUTE FUNCTION pgkeel.%I()', watched, note);
    EXECUTE format('CREATE TRIGGER cache_note_update AFTER UPDATE ON %s REFERENCING NEW TABLE AS written_rows FOR EACH STATEMENT '
        'EXECUTE FUNCTION pgkeel.%I()', watched, note);
    EXECUTE format('CREATE TRIGGER cache_note_moved AFTER UPDATE ON %s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION pgkeel.%I()', watched,
        (SELECT string_agg(format('OLD.%1$s IS DISTINCT FROM NEW.%1$s', name_of), ' OR ') FROM unnest(columns) AS name_of), note);
    EXECUTE format('CREATE TRIGGER cache_note_delete AFTER DELETE ON %s REFERENCING OLD TABLE AS written_rows FOR EACH STATEMENT '
        'EXECUTE FUNCTION pgkeel.%I()', watched, note);
    EXECUTE format('CREATE TRIGGER cache_note_truncate AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION pgkeel.%I()',
        watched, note);
END $function$;

CREATE OR REPLACE FUNCTION pgkeel.cache_unwatch(watched regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    EXECUTE format('DROP TRIGGER IF EXISTS cache_note_insert ON %s', watched);
    EXECUTE format('DROP TRIGGER IF EXISTS cache_note_update ON %s', watched);
    EXECUTE format('DROP TRIGGER IF EXISTS cache_note_moved ON %s', watched);
    EXECUTE format('DROP TRIGGER IF EXISTS cache_note_delete ON %s', watched);
    EXECUTE format('DROP TRIGGER IF EXISTS cache_note_truncate ON %s', watched);
    EXECUTE format('DROP FUNCTION IF EXISTS pgkeel.%I()', pgkeel.cache_note_name(pgkeel.cache_relation(watched)));
END $function$;
COMMIT;
