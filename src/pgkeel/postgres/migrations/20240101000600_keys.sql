-- Up Migration
BEGIN;

-- The keys of encrypted columns, wrapped by one that lies outside of the database: who has this table alone opens nothing.
CREATE TABLE pgkeel.keys (
    id         integer     NOT NULL,
    state      text        NOT NULL,
    provider   text        NOT NULL,
    wrapped    bytea,
    added_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT keys_pkey          PRIMARY KEY (id),
    CONSTRAINT keys_id_check      CHECK (id > 0),
    CONSTRAINT keys_state_check   CHECK (state IN ('pending', 'active', 'previous', 'retired', 'destroyed')),
    CONSTRAINT keys_wrapped_check CHECK ((state = 'destroyed') = (wrapped IS NULL))
);
CREATE UNIQUE INDEX idx_keys_state ON pgkeel.keys (state) WHERE state IN ('pending', 'active', 'previous');
COMMENT ON TABLE pgkeel.keys IS 'keys of encrypted columns, wrapped; the key that unwraps them is not in the database';
DO $grants$
BEGIN
    IF to_regrole('pgkeel_rw') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA pgkeel TO pgkeel_rw;
        GRANT SELECT ON pgkeel.keys TO pgkeel_rw;
    END IF;
END $grants$;
COMMIT;

-- Down Migration
BEGIN;
DROP TABLE pgkeel.keys;
COMMIT;
