-- pgkeel: ignore MIG007, MIG033, MIG034, MIG048 -- the switch is one moment: programs are deployed with it and know the new form
-- pgkeel: needs backfill {version}

-- Up Migration
BEGIN;
{see_all}-- From here on {name} is the new form; refused while a row has only the old one.
LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE;
DO $check$
BEGIN
    IF EXISTS (SELECT FROM {table} WHERE {column} IS NOT NULL AND {sealed} IS NULL) THEN
        RAISE EXCEPTION 'the backfill has not reached every row of %', {name_text}
            USING ERRCODE = 'KL001', HINT = {backfill_hint};
    END IF;
END
$check$;
{readers}DROP TRIGGER {trigger} ON {table};
DROP FUNCTION {function}();
DROP INDEX {waiting_full};
{drop_rules}{loosen}ALTER TABLE {table} RENAME COLUMN {column} TO {clear};
ALTER TABLE {table} RENAME COLUMN {sealed} TO {column};
{attach_unique}COMMIT;

-- Down Migration
BEGIN;
{detach_unique}ALTER TABLE {table} RENAME COLUMN {column} TO {sealed};
ALTER TABLE {table} RENAME COLUMN {clear} TO {column};
{tighten}{add_rules}CREATE INDEX {waiting} ON {table} ({key}) WHERE {column} IS NOT NULL AND {sealed} IS NULL;
CREATE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    IF NEW.{column} IS DISTINCT FROM OLD.{column} AND NEW.{sealed} IS NOT DISTINCT FROM OLD.{sealed} THEN
        NEW.{sealed} := NULL;
{forget_digests}    END IF;
    RETURN NEW;
END
$function$;
CREATE TRIGGER {trigger} BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}();
COMMIT;
