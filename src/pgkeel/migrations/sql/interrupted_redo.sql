-- one row: a migration that a redo has reverted and, killed in between, not applied again
SELECT begun.source, begun.version
FROM pgkeel.migration_log AS begun
WHERE begun.event = 'redo'
  AND begun.source = ANY (%(sources)s)
  AND NOT EXISTS (
      SELECT FROM pgkeel.migrations AS entry WHERE entry.source = begun.source AND entry.version = begun.version
  )
  AND NOT EXISTS (
      SELECT FROM pgkeel.migration_log AS later
      WHERE later.source = begun.source AND later.version = begun.version AND later.event = 'applied' AND later.id > begun.id
  )
ORDER BY begun.id DESC
LIMIT 1
