BEGIN;
ALTER TABLE users ADD COLUMN token uuid;
ALTER TABLE users ALTER COLUMN token SET DEFAULT gen_random_uuid();
ALTER TABLE users ADD COLUMN seen_at timestamptz DEFAULT now();
COMMIT;
