-- pgkeel: ignore MIG044 -- the trigger only marks what the backfill must seal, and goes with the switch
-- Up Migration
BEGIN;
-- The other form of users.phone stands beside the old one until the switch; a row that is written without it is left to the backfill.
ALTER TABLE users ADD COLUMN phone_sealed bytea;
CREATE FUNCTION users_phone_unseal() RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    IF NEW.phone IS DISTINCT FROM OLD.phone AND NEW.phone_sealed IS NOT DISTINCT FROM OLD.phone_sealed THEN
        NEW.phone_sealed := NULL;
    END IF;
    RETURN NEW;
END
$function$;
CREATE TRIGGER users_phone_unseal BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION users_phone_unseal();
COMMIT;
CREATE INDEX CONCURRENTLY idx_users_phone_unsealed ON users (id) WHERE phone IS NOT NULL AND phone_sealed IS NULL;

-- Down Migration
BEGIN;
DROP TRIGGER users_phone_unseal ON users;
DROP FUNCTION users_phone_unseal();
ALTER TABLE users DROP COLUMN phone_sealed;
COMMIT;

-- Backfill Migration table=users key=id batch=500 code=encrypt.users.phone.id:none
