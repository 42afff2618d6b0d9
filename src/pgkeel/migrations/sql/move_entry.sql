-- one row: a migration that the ledger knows under another version or name from now on, with its backfills
WITH copied AS (
    INSERT INTO pgkeel.migrations (source, version, name, checksum, done_checksum, direction, status, unit, units, attempt, down_sql,
                                   irreversible, started_at, applied_at, duration, applied_by, tool_version)
    SELECT source, %(new_version)s, %(name)s, checksum, done_checksum, direction, status, unit, units, attempt, down_sql,
           irreversible, started_at, applied_at, duration, applied_by, tool_version
    FROM pgkeel.migrations
    WHERE source = %(source)s AND version = %(version)s AND version <> %(new_version)s
), renamed AS (
    UPDATE pgkeel.migrations SET name = %(name)s
    WHERE source = %(source)s AND version = %(version)s AND version = %(new_version)s
), followed AS (
    UPDATE pgkeel.backfills SET version = %(new_version)s
    WHERE source = %(source)s AND version = %(version)s AND version <> %(new_version)s
)
DELETE FROM pgkeel.migrations
WHERE source = %(source)s AND version = %(version)s AND version <> %(new_version)s
