-- one row: a migration's place in the ledger after a step of its Down, noted in the log as well
WITH noted AS (
    INSERT INTO pgkeel.migration_log (run, source, version, direction, event, unit, tool_version)
    VALUES (%(run)s, %(source)s, %(version)s, 'down', %(event)s, %(unit)s, %(tool_version)s)
)
UPDATE pgkeel.migrations
SET direction = 'down', status = %(status)s, unit = %(unit)s, units = %(units)s, attempt = %(attempt)s, down_sql = %(down_sql)s
WHERE source = %(source)s AND version = %(version)s
