-- pgkeel: ignore MIG007, MIG033, MIG034, MIG048 -- the switch is one moment: programs are deployed with it and know the new form
-- pgkeel: needs backfill 20240104120000

-- Up Migration
BEGIN;
-- From here on users.email is the new form; refused while a row has only the old one.
LOCK TABLE users IN ACCESS EXCLUSIVE MODE;
DO $check$
BEGIN
    IF EXISTS (SELECT FROM users WHERE email IS NOT NULL AND email_sealed IS NULL) THEN
        RAISE EXCEPTION 'the backfill has not reached every row of %', 'users.email'
            USING ERRCODE = 'KL001', HINT = '`pgkeel migrate backfill run` seals it';
    END IF;
END
$check$;
DROP TRIGGER users_email_unseal ON users;
DROP FUNCTION users_email_unseal();
DROP TRIGGER users_end_tokens ON users;
DROP INDEX idx_users_email_unsealed;
ALTER TABLE users DROP CONSTRAINT idx_users_email;
ALTER TABLE users DROP CONSTRAINT users_email_check;
ALTER TABLE users ALTER COLUMN email DROP NOT NULL;
ALTER TABLE users RENAME COLUMN email TO email_clear;
ALTER TABLE users RENAME COLUMN email_sealed TO email;
ALTER TABLE users ADD CONSTRAINT idx_users_email UNIQUE USING INDEX users_email_bidx_key;
ALTER TABLE users ADD CONSTRAINT users_email_bidx_next_key UNIQUE USING INDEX users_email_bidx_next_key;

-- Beside what `pgkeel security encrypt` wrote: a new address ends mailed tokens; the same one under another key does not.
-- pgkeel: ignore MIG044 -- the trigger stands since 20240103120000, and now compares digests
CREATE TRIGGER users_end_tokens AFTER UPDATE ON users FOR EACH ROW
    WHEN (
        (OLD.password_hash <> NEW.password_hash AND current_setting('pgkeel.rehashed', true) IS DISTINCT FROM NEW.password_hash)
        OR (OLD.email_bidx IS DISTINCT FROM NEW.email_bidx AND current_setting('pgkeel.resealing', true) IS DISTINCT FROM 'on')
        OR NEW.status IN ('suspended', 'deleted')
    )
    EXECUTE FUNCTION delete_children('user_tokens', 'user_id', 'id');
COMMIT;

-- Down Migration
BEGIN;
DROP TRIGGER users_end_tokens ON users;
ALTER TABLE users DROP CONSTRAINT idx_users_email;
ALTER TABLE users DROP CONSTRAINT users_email_bidx_next_key;
CREATE UNIQUE INDEX users_email_bidx_key ON users (email_bidx);
CREATE UNIQUE INDEX users_email_bidx_next_key ON users (email_bidx_next);
ALTER TABLE users RENAME COLUMN email TO email_sealed;
ALTER TABLE users RENAME COLUMN email_clear TO email;
ALTER TABLE users ALTER COLUMN email SET NOT NULL;
ALTER TABLE users ADD CONSTRAINT idx_users_email UNIQUE (email);
ALTER TABLE users ADD CONSTRAINT users_email_check CHECK (email = lower(btrim(email)) AND email LIKE '_%@_%');
CREATE INDEX idx_users_email_unsealed ON users (id) WHERE email IS NOT NULL AND email_sealed IS NULL;
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
CREATE TRIGGER users_end_tokens AFTER UPDATE ON users FOR EACH ROW
    WHEN (
        (OLD.password_hash <> NEW.password_hash AND current_setting('pgkeel.rehashed', true) IS DISTINCT FROM NEW.password_hash)
        OR OLD.email <> NEW.email
        OR NEW.status IN ('suspended', 'deleted')
    )
    EXECUTE FUNCTION delete_children('user_tokens', 'user_id', 'id');
COMMIT;
