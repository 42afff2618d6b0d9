-- pgkeel: ignore MIG007, MIG033, MIG034, MIG048 -- the switch is one moment: programs are deployed with it and know the new form
-- pgkeel: needs backfill 20240104130000

-- Up Migration
BEGIN;
-- From here on users.phone is the new form; refused while a row has only the old one.
LOCK TABLE users IN ACCESS EXCLUSIVE MODE;
DO $check$
BEGIN
    IF EXISTS (SELECT FROM users WHERE phone IS NOT NULL AND phone_sealed IS NULL) THEN
        RAISE EXCEPTION 'the backfill has not reached every row of %', 'users.phone'
            USING ERRCODE = 'KL001', HINT = '`pgkeel migrate backfill run` seals it';
    END IF;
END
$check$;
DROP TRIGGER users_phone_unseal ON users;
DROP FUNCTION users_phone_unseal();
DROP INDEX idx_users_phone_unsealed;
ALTER TABLE users RENAME COLUMN phone TO phone_clear;
ALTER TABLE users RENAME COLUMN phone_sealed TO phone;
COMMIT;

-- Down Migration
BEGIN;
ALTER TABLE users RENAME COLUMN phone TO phone_sealed;
ALTER TABLE users RENAME COLUMN phone_clear TO phone;
CREATE INDEX idx_users_phone_unsealed ON users (id) WHERE phone IS NOT NULL AND phone_sealed IS NULL;
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
