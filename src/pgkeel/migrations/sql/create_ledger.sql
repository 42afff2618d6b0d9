-- utility: the ledger, made once by the first run under the runner's lock
CREATE TABLE pgkeel.migrations (
    source            text        NOT NULL,
    version           text        NOT NULL,
    name              text        NOT NULL,
    checksum          text        NOT NULL,
    done_checksum     text        NOT NULL,
    direction         text        NOT NULL DEFAULT 'up',
    status            text        NOT NULL,
    unit              integer     NOT NULL,
    units             integer     NOT NULL,
    attempt           text,
    down_sql          text,
    irreversible      text        NOT NULL DEFAULT '',
    started_at        timestamptz NOT NULL DEFAULT now(),
    applied_at        timestamptz,
    duration          interval    NOT NULL DEFAULT '0',
    applied_by        text        NOT NULL DEFAULT session_user,
    tool_version      text        NOT NULL,
    CONSTRAINT migrations_pkey            PRIMARY KEY (source, version),
    CONSTRAINT migrations_version_check   CHECK (version ~ '^[0-9]{14}$'),
    CONSTRAINT migrations_direction_check CHECK (direction IN ('up', 'down')),
    CONSTRAINT migrations_status_check    CHECK (status IN ('applied', 'partial', 'running', 'baseline')),
    CONSTRAINT migrations_unit_check      CHECK (unit BETWEEN 0 AND units),
    CONSTRAINT migrations_attempt_check   CHECK ((status = 'running') = (attempt IS NOT NULL)),
    CONSTRAINT migrations_applied_check   CHECK (status IN ('partial', 'running') OR applied_at IS NOT NULL)
);
COMMENT ON TABLE pgkeel.migrations IS 'which migration is applied; unit counts the steps done in its direction';
COMMENT ON COLUMN pgkeel.migrations.done_checksum IS 'SHA-256 of the done units: what comes after them may still be corrected';
COMMENT ON COLUMN pgkeel.migrations.attempt IS 'the statement that runs outside a transaction right now, or was when the runner died';
COMMENT ON COLUMN pgkeel.migrations.down_sql IS 'the Down section as applied: a checkout without the file can still revert it';

CREATE TABLE pgkeel.migration_log (
    id           bigint      GENERATED ALWAYS AS IDENTITY,
    run          uuid        NOT NULL,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    source       text        NOT NULL,
    version      text        NOT NULL,
    direction    text        NOT NULL,
    event        text        NOT NULL,
    unit         integer     NOT NULL,
    facts        jsonb       NOT NULL DEFAULT '{}',
    done_by      text        NOT NULL DEFAULT session_user,
    tool_version text        NOT NULL,
    CONSTRAINT migration_log_pkey PRIMARY KEY (id)
);
CREATE INDEX idx_migration_log_version ON pgkeel.migration_log (source, version, id);
COMMENT ON TABLE pgkeel.migration_log IS 'every attempt, retry, failure and finished unit; rows are only ever added';

CREATE FUNCTION pgkeel.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $function$
BEGIN
    RAISE EXCEPTION '%%.%% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', HINT = 'add a row instead';
END $function$;
CREATE TRIGGER migration_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON pgkeel.migration_log
    FOR EACH STATEMENT EXECUTE FUNCTION pgkeel.refuse_change();

CREATE TABLE pgkeel.backfills (
    source      text        NOT NULL,
    version     text        NOT NULL,
    number      integer     NOT NULL,
    options     jsonb       NOT NULL,
    statement   text,
    status      text        NOT NULL DEFAULT 'pending',
    last_key    text,
    rows_done   bigint      NOT NULL DEFAULT 0,
    active      interval    NOT NULL DEFAULT '0',
    started_at  timestamptz,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    error       text,
    CONSTRAINT backfills_pkey           PRIMARY KEY (source, version, number),
    CONSTRAINT backfills_migration_fkey FOREIGN KEY (source, version) REFERENCES pgkeel.migrations (source, version)
        ON DELETE CASCADE,
    CONSTRAINT backfills_status_check   CHECK (status IN ('pending', 'running', 'paused', 'finished', 'failed')),
    CONSTRAINT backfills_finished_check CHECK ((status = 'finished') = (finished_at IS NOT NULL))
);
COMMENT ON TABLE pgkeel.backfills IS 'the Backfill sections of applied migrations and how far each has come';
