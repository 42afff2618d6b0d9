-- one row: something that happened on the way, such as a retry or a failure
INSERT INTO pgkeel.migration_log (run, source, version, direction, event, unit, facts, tool_version)
VALUES (%(run)s, %(source)s, %(version)s, %(direction)s, %(event)s, %(unit)s, %(facts)s, %(tool_version)s)
