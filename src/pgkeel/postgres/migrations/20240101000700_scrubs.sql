-- Up Migration
BEGIN;

-- A column that was encrypted, and the file of its table since it was rewritten: what was clear is no longer in there.
CREATE TABLE pgkeel.scrubs (
    column_name text        NOT NULL,
    filenode    bigint      NOT NULL,
    wal         pg_lsn      NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT scrubs_pkey PRIMARY KEY (column_name)
);
COMMENT ON TABLE pgkeel.scrubs IS 'when the tables of encrypted columns were rewritten, so that no clear value is left in their files';
COMMIT;

-- Down Migration
BEGIN;
DROP TABLE pgkeel.scrubs;
COMMIT;
