-- Up Migration
BEGIN;

-- Time-ordered ids (RFC 9562, version 7): milliseconds, 12 bits below the millisecond, 62 random bits. One body on every major.
CREATE FUNCTION new_id() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE
AS $function$
    SELECT (overlay(lpad(to_hex((extract(epoch FROM clock_timestamp()) * 4096000)::bigint), 15, '0') PLACING '7' FROM 13 FOR 0)
            || substring(gen_random_uuid()::text FROM 20))::uuid
$function$;

-- Rows are compared by their image (*<>), so that columns without equality (json, xml) may stand in the table.
CREATE FUNCTION set_updated_at() RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    IF NEW *<> OLD AND current_setting('pgkeel.resealing', true) IS DISTINCT FROM 'on' THEN
        NEW.updated_at := clock_timestamp();
    END IF;
    RETURN NEW;
END
$function$;

CREATE FUNCTION bump_version() RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    IF NEW *<> OLD AND current_setting('pgkeel.resealing', true) IS DISTINCT FROM 'on' THEN
        NEW.version := OLD.version + 1;
    END IF;
    RETURN NEW;
END
$function$;

-- Keeps the status that a soft-deleted row had; a restore brings it back. Argument: the status when none is known.
CREATE FUNCTION keep_status() RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    IF NEW.deleted_at IS NOT NULL THEN
        NEW.previous_status := OLD.status;
        RETURN NEW;
    END IF;
    IF NEW.status = 'deleted' THEN
        NEW.status := coalesce(OLD.previous_status, TG_ARGV[0]);
    END IF;
    NEW.previous_status := NULL;
    RETURN NEW;
END
$function$;

-- Soft-deletes the children of a row with it, and restores exactly those with it. Arguments: the child table, its column, the
-- parent's column, further assignments of a soft-deleted child. Children are found in the parent's schema, whatever search_path says.
CREATE FUNCTION soft_delete_children() RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    IF OLD.deleted_at IS NULL THEN
        EXECUTE format('UPDATE %I.%I SET deleted_at = ($1).deleted_at%s WHERE %I = ($1).%I AND deleted_at IS NULL',
                       TG_TABLE_SCHEMA, TG_ARGV[0], TG_ARGV[3], TG_ARGV[1], TG_ARGV[2])
        USING NEW;
    ELSE
        EXECUTE format('UPDATE %I.%I SET deleted_at = ($1).deleted_at WHERE %I = ($1).%I AND deleted_at = ($2).deleted_at',
                       TG_TABLE_SCHEMA, TG_ARGV[0], TG_ARGV[1], TG_ARGV[2])
        USING NEW, OLD;
    END IF;
    RETURN NULL;
END
$function$;

-- Deletes the children of a row that is soft-deleted. Arguments: the child table, its column, the parent's column.
CREATE FUNCTION delete_children() RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    EXECUTE format('DELETE FROM %I.%I WHERE %I = ($1).%I', TG_TABLE_SCHEMA, TG_ARGV[0], TG_ARGV[1], TG_ARGV[2]) USING NEW;
    RETURN NULL;
END
$function$;
COMMIT;

-- Down Migration
BEGIN;
DROP FUNCTION delete_children();
DROP FUNCTION soft_delete_children();
DROP FUNCTION keep_status();
DROP FUNCTION bump_version();
DROP FUNCTION set_updated_at();
DROP FUNCTION new_id();
COMMIT;
