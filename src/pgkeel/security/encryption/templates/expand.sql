-- pgkeel: ignore MIG044 -- the trigger only marks what the backfill must seal, and goes with the switch
-- Up Migration
BEGIN;
-- The other form of {name} stands beside the old one until the switch; a row that is written without it is left to the backfill.
ALTER TABLE {table} ADD COLUMN {sealed} {sealed_type};
{add_digests}CREATE FUNCTION {function}() RETURNS trigger
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
CREATE INDEX CONCURRENTLY {waiting} ON {table} ({key}) WHERE {column} IS NOT NULL AND {sealed} IS NULL;
{index_digests}
-- Down Migration
BEGIN;
DROP TRIGGER {trigger} ON {table};
DROP FUNCTION {function}();
ALTER TABLE {table} DROP COLUMN {sealed};
{drop_digests}COMMIT;

-- Backfill Migration table={plain_table} key={plain_key} batch=500 code={code}
