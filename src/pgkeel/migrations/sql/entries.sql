-- one row: a migration that the ledger knows
SELECT source, version, name, checksum, done_checksum, direction, status, unit, units, attempt, down_sql, irreversible,
       applied_at, duration, applied_by, tool_version
FROM pgkeel.migrations
ORDER BY source, version
