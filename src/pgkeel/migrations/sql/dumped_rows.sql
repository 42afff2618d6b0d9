-- one row: a migration of the ledger as the INSERT that a dump holds, without times and logins, so that two dumps are equal
SELECT format('INSERT INTO pgkeel.migrations (source, version, name, checksum, done_checksum, direction, status, unit, units, '
           'down_sql, irreversible, applied_at, tool_version) VALUES (%%L, %%L, %%L, %%L, %%L, %%L, %%L, %%s, %%s, %%L, %%L, now(), %%L)',
           source, version, name, checksum, done_checksum, direction, status, unit, units, down_sql, irreversible, tool_version)
           AS statement,
       status IN ('applied', 'baseline') AND direction = 'up' AS is_complete
FROM pgkeel.migrations
ORDER BY source, version
