BEGIN;
ALTER TABLE users ADD COLUMN city_id bigint;
ALTER TABLE orders ADD COLUMN city_id bigint;
COMMIT;
