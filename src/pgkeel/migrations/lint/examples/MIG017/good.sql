BEGIN;
CREATE TABLE bookings_apart (
    id bigint PRIMARY KEY, room bigint, stay tstzrange,
    EXCLUDE USING gist (room WITH =, stay WITH &&)
);
COMMIT;
