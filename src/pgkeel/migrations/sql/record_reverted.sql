-- one row: a migration that leaves the ledger because its Down is complete; the log keeps that it was there
WITH noted AS (
    INSERT INTO pgkeel.migration_log (run, source, version, direction, event, unit, tool_version)
    VALUES (%(run)s, %(source)s, %(version)s, 'down', %(event)s, %(unit)s, %(tool_version)s)
)
DELETE FROM pgkeel.migrations
WHERE source = %(source)s AND version = %(version)s
