-- one row: the schema as the last run left it; none when something was run after it was noted
SELECT facts
FROM pgkeel.migration_log
WHERE id = (
    SELECT max(id) FROM pgkeel.migration_log
    WHERE event IN ('applied', 'reverted', 'unit', 'started', 'baseline', 'loaded', 'fingerprint')
      AND source = ANY (%(sources)s)
)
  AND event = 'fingerprint'
ORDER BY id
