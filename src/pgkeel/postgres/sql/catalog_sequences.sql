-- one row: a sequence; those inside identity columns belong to the column
SELECT format('%%I.%%I', namespace.nspname, relation.relname) AS name,
       concat_ws(' ', format_type(pg_sequence.seqtypid, NULL), 'start', pg_sequence.seqstart, 'increment', pg_sequence.seqincrement,
           'min', pg_sequence.seqmin, 'max', pg_sequence.seqmax, CASE WHEN pg_sequence.seqcycle THEN 'cycle' END) AS definition
FROM pg_sequence
JOIN pg_class AS relation ON relation.oid = pg_sequence.seqrelid
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE namespace.nspname = ANY (%(schemas)s)
  AND NOT EXISTS (
      SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = relation.oid AND deptype IN ('e', 'i')
  )
ORDER BY name
