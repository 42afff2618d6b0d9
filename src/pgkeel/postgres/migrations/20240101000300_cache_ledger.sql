-- Up Migration
BEGIN;

-- What a cache outside of the database must know of it. Whoever changes rows behind the application's back (a migration, psql, a
-- recovery of rows) counts the table up in its own transaction; '*' is all tables. The agent carries it over.
CREATE TABLE pgkeel.cache_generation (
    relation   text   NOT NULL,
    generation bigint NOT NULL DEFAULT 1,
    CONSTRAINT cache_generation_pkey PRIMARY KEY (relation)
);
COMMENT ON TABLE pgkeel.cache_generation IS 'how often all rows of a table became unknown to caches; * is every table';

CREATE FUNCTION pgkeel.cache_bump(VARIADIC relations text[] DEFAULT '{*}') RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
    INSERT INTO pgkeel.cache_generation AS known (relation)
    SELECT DISTINCT given FROM unnest(cache_bump.relations) AS given ORDER BY given
    ON CONFLICT (relation) DO UPDATE SET generation = known.generation + 1
$function$;
COMMENT ON FUNCTION pgkeel.cache_bump(text[]) IS 'lets no cached row or result of these tables be served again, once the transaction commits';

-- The epoch: another one for each write that could not be announced, and for each server or timeline that the database is on.
CREATE TABLE pgkeel.cache_epoch (
    is_only  boolean NOT NULL DEFAULT true,
    server   text    NOT NULL DEFAULT '',
    timeline text    NOT NULL DEFAULT '',
    epoch    bigint  NOT NULL DEFAULT 1,
    CONSTRAINT cache_epoch_pkey          PRIMARY KEY (is_only),
    CONSTRAINT cache_epoch_is_only_check CHECK (is_only)
);
INSERT INTO pgkeel.cache_epoch DEFAULT VALUES;
COMMENT ON TABLE pgkeel.cache_epoch IS 'caches that were filled in another epoch serve nothing';

CREATE FUNCTION pgkeel.cache_epoch() RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    here pgkeel.cache_epoch;
    own  pgkeel.cache_epoch;
BEGIN
    own.server := (SELECT system_identifier FROM pg_control_system());
    own.timeline := left(pg_walfile_name(pg_current_wal_insert_lsn()), 8);
    SELECT * INTO STRICT here FROM pgkeel.cache_epoch;
    IF (here.server, here.timeline) IS DISTINCT FROM (own.server, own.timeline) THEN
        UPDATE pgkeel.cache_epoch AS known SET server = own.server, timeline = own.timeline, epoch = known.epoch + 1
        WHERE (known.server, known.timeline) IS DISTINCT FROM (own.server, own.timeline);
        SELECT * INTO STRICT here FROM pgkeel.cache_epoch;
    END IF;
    RETURN here.server || ':' || here.timeline || ':' || here.epoch;
END $function$;
COMMENT ON FUNCTION pgkeel.cache_epoch() IS 'server, timeline and number of the epoch; not on a replica';

CREATE FUNCTION pgkeel.cache_dirty() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
    UPDATE pgkeel.cache_epoch SET epoch = epoch + 1 RETURNING epoch
$function$;
COMMENT ON FUNCTION pgkeel.cache_dirty() IS 'begins an epoch: a write is about to commit that the cache cannot be told of';

-- Writes from outside, seen by statement-level triggers. UNLOGGED: cheap, and emptied by a crash; then the row '' is gone, and a
-- new epoch begins. Without a key or an index: nobody looks a note up, and writers pay for each.
-- pgkeel: ignore SCH017 -- a crash that empties it begins a new epoch, in which nothing of before is served
-- pgkeel: ignore SCH015 -- notes are taken in any order and never looked up; an index would be paid for by every writer
CREATE UNLOGGED TABLE pgkeel.cache_outbox (
    relation text NOT NULL,
    keys     jsonb
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
INSERT INTO pgkeel.cache_outbox (relation) VALUES ('');
COMMENT ON COLUMN pgkeel.cache_outbox.keys IS 'primary keys that were written; null for all';

-- A function a table, so that its statements are planned once a session: planned anew each time they cost more than the write.
CREATE FUNCTION pgkeel.cache_note_name(relation text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $function$
    SELECT 'cache_note_' || left(cache_note_name.relation, 30) || '_' || left(md5(cache_note_name.relation), 8)
$function$;

CREATE FUNCTION pgkeel.cache_relation(watched regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $function$
    SELECT CASE nspname WHEN 'public' THEN '' ELSE nspname || '.' END || relname
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE pg_class.oid = cache_relation.watched
$function$;

CREATE FUNCTION pgkeel.cache_watch(watched regclass) RETURNS void
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
COMMENT ON FUNCTION pgkeel.cache_watch(regclass) IS 'notes every write of the table for the cache, whoever writes; put it into a migration';

CREATE FUNCTION pgkeel.cache_unwatch(watched regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    EXECUTE format('DROP TRIGGER IF EXISTS cache_note_insert ON %s', watched);
    EXECUTE format('DROP TRIGGER IF EXISTS cache_note_update ON %s', watched);
    EXECUTE format('DROP TRIGGER IF EXISTS cache_note_moved ON %s', watched);
    EXECUTE format('DROP TRIGGER IF EXISTS cache_note_delete ON %s', watched);
    EXECUTE format('DROP TRIGGER IF EXISTS cache_note_truncate ON %s', watched);
    EXECUTE format('DROP FUNCTION IF EXISTS pgkeel.%I()', pgkeel.cache_note_name(pgkeel.cache_relation(watched)));
END $function$;
COMMENT ON FUNCTION pgkeel.cache_unwatch(regclass) IS 'takes the triggers of cache_watch away';

CREATE FUNCTION pgkeel.cache_drain(most integer DEFAULT 200) RETURNS TABLE (relation text, keys jsonb)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
    DELETE FROM pgkeel.cache_outbox AS gone WHERE gone.ctid = ANY (ARRAY(
        SELECT waiting.ctid FROM pgkeel.cache_outbox AS waiting
        WHERE waiting.relation <> '' LIMIT cache_drain.most FOR UPDATE SKIP LOCKED
    ))
    RETURNING gone.relation, gone.keys
$function$;
COMMENT ON FUNCTION pgkeel.cache_drain(integer) IS 'takes notes in the caller''s transaction';

-- After a crash the outbox is empty, its first row too: what it held is lost. True where a new epoch was begun for that.
CREATE FUNCTION pgkeel.cache_outbox_lost() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF EXISTS (SELECT FROM pgkeel.cache_outbox WHERE relation = '') THEN
        RETURN false;
    END IF;
    PERFORM pgkeel.cache_dirty();
    INSERT INTO pgkeel.cache_outbox (relation) VALUES ('');
    RETURN true;
END $function$;

-- A migration may change any row: each of its steps is written into the ledger, and with it everything becomes unknown.
CREATE FUNCTION pgkeel.cache_migrated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    PERFORM pgkeel.cache_bump();
    RETURN NULL;
END $function$;
-- pgkeel: ignore MIG044 -- only migrations write there, and each must make caches forget
DO $ledger$
BEGIN
    IF to_regclass('pgkeel.migrations') IS NOT NULL THEN
        CREATE TRIGGER cache_migrated AFTER INSERT OR UPDATE OR DELETE ON pgkeel.migrations
            FOR EACH STATEMENT EXECUTE FUNCTION pgkeel.cache_migrated();
    END IF;
END $ledger$;

REVOKE ALL ON FUNCTION pgkeel.cache_bump(text[]), pgkeel.cache_epoch(), pgkeel.cache_dirty(), pgkeel.cache_drain(integer),
    pgkeel.cache_outbox_lost(), pgkeel.cache_watch(regclass), pgkeel.cache_unwatch(regclass), pgkeel.cache_relation(regclass),
    pgkeel.cache_note_name(text) FROM PUBLIC;
DO $grants$
BEGIN
    IF to_regrole('pgkeel_rw') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA pgkeel TO pgkeel_rw;
        GRANT EXECUTE ON FUNCTION pgkeel.cache_bump(text[]), pgkeel.cache_epoch(), pgkeel.cache_dirty() TO pgkeel_rw;
    END IF;
END $grants$;
COMMIT;

-- Down Migration
BEGIN;
DROP TRIGGER IF EXISTS cache_migrated ON pgkeel.migrations;
DROP FUNCTION pgkeel.cache_migrated();
DROP FUNCTION pgkeel.cache_outbox_lost();
DROP FUNCTION pgkeel.cache_drain(integer);
SELECT pgkeel.cache_unwatch(tgrelid) FROM pg_trigger WHERE tgname = 'cache_note_truncate';
DROP FUNCTION pgkeel.cache_unwatch(regclass);
DROP FUNCTION pgkeel.cache_watch(regclass);
DROP FUNCTION pgkeel.cache_relation(regclass);
DROP FUNCTION pgkeel.cache_note_name(text);
DROP TABLE pgkeel.cache_outbox;
DROP FUNCTION pgkeel.cache_dirty();
DROP FUNCTION pgkeel.cache_epoch();
DROP TABLE pgkeel.cache_epoch;
DROP FUNCTION pgkeel.cache_bump(text[]);
DROP TABLE pgkeel.cache_generation;
COMMIT;
