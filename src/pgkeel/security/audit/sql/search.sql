-- one row: something that happened, newest first
SELECT seq, at, epoch, actor, db_role::text AS db_role, table_name, row_id, operation, before, after
FROM audit.log
WHERE (%(table)s::text IS NULL OR table_name = %(table)s)
  AND (%(row)s::text IS NULL OR row_id = %(row)s)
  AND (%(actor)s::text IS NULL OR actor = %(actor)s)
  AND (%(operation)s::text IS NULL OR operation = %(operation)s)
  AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
ORDER BY at DESC, seq DESC
LIMIT %(most)s;
