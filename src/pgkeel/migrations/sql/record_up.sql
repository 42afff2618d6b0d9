-- one row: a migration's place in the ledger after a step of its Up, noted in the log as well
WITH noted AS (
    INSERT INTO pgkeel.migration_log (run, source, version, direction, event, unit, tool_version)
    VALUES (%(run)s, %(source)s, %(version)s, 'up', %(event)s, %(unit)s, %(tool_version)s)
)
INSERT INTO pgkeel.migrations AS kept
    (source, version, name, checksum, done_checksum, direction, status, unit, units, attempt, down_sql, irreversible,
     applied_at, duration, tool_version)
VALUES
    (%(source)s, %(version)s, %(name)s, %(checksum)s, %(done_checksum)s, 'up', %(status)s, %(unit)s, %(units)s, %(attempt)s,
     %(down_sql)s, %(irreversible)s, CASE WHEN %(status)s IN ('applied', 'baseline') THEN clock_timestamp() END,
     coalesce(%(took)s::interval, clock_timestamp() - now()), %(tool_version)s)
ON CONFLICT (source, version) DO UPDATE
SET name = excluded.name, checksum = excluded.checksum, done_checksum = excluded.done_checksum, direction = 'up',
    status = excluded.status, unit = excluded.unit, units = excluded.units, attempt = excluded.attempt,
    down_sql = excluded.down_sql, irreversible = excluded.irreversible, applied_at = excluded.applied_at,
    duration = kept.duration + excluded.duration, applied_by = session_user, tool_version = excluded.tool_version
