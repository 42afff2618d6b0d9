-- Up Migration
BEGIN;

-- A key for each person whose columns say so, wrapped by the ring: once it is gone, nothing of that person opens anywhere.
CREATE TABLE pgkeel.subject_keys (
    id         text        NOT NULL,
    wrapped    bytea,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT subject_keys_pkey PRIMARY KEY (id)
);
CREATE INDEX idx_subject_keys_changed_at ON pgkeel.subject_keys (changed_at);
COMMENT ON TABLE pgkeel.subject_keys IS 'a key for each person, wrapped by the ring; NULL for one who was erased';
DO $grants$
BEGIN
    IF to_regrole('pgkeel_rw') IS NOT NULL THEN
        GRANT SELECT, INSERT ON pgkeel.subject_keys TO pgkeel_rw;
    END IF;
END $grants$;
COMMIT;

-- Down Migration
BEGIN;
DROP TABLE pgkeel.subject_keys;
COMMIT;
