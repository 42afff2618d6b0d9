-- pgkeel: ignore MIG044 -- the trigger only marks what the backfill must seal, and goes with the switch
-- Up Migration
BEGIN;
-- The other form of users.email stands beside the old one until the switch; a row that is written without it is left to the backfill.
ALTER TABLE users ADD COLUMN email_sealed bytea;
ALTER TABLE users ADD COLUMN email_bidx bytea;
ALTER TABLE users ADD COLUMN email_bidx_next bytea;
CREATE FUNCTION users_email_unseal() RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    IF NEW.email IS DISTINCT FROM OLD.email AND NEW.email_sealed IS NOT DISTINCT FROM OLD.email_sealed THEN
        NEW.email_sealed := NULL;
        NEW.email_bidx := NULL;
        NEW.email_bidx_next := NULL;
    END IF;
    RETURN NEW;
END
$function$;
CREATE TRIGGER users_email_unseal BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION users_email_unseal();
COMMIT;
CREATE INDEX CONCURRENTLY idx_users_email_unsealed ON users (id) WHERE email IS NOT NULL AND email_sealed IS NULL;
CREATE UNIQUE INDEX CONCURRENTLY users_email_bidx_key ON users (email_bidx);
CREATE UNIQUE INDEX CONCURRENTLY users_email_bidx_next_key ON users (email_bidx_next);

-- Down Migration
BEGIN;
DROP TRIGGER users_email_unseal ON users;
DROP FUNCTION users_email_unseal();
ALTER TABLE users DROP COLUMN email_sealed;
ALTER TABLE users DROP COLUMN email_bidx;
ALTER TABLE users DROP COLUMN email_bidx_next;
COMMIT;

-- Backfill Migration table=users key=id batch=500 code=encrypt.users.email.id:email
