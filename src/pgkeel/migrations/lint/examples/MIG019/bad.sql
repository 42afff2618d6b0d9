BEGIN;
ALTER TABLE users ADD CONSTRAINT users_age_possible CHECK (age >= 0) NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT users_age_possible;
COMMIT;
