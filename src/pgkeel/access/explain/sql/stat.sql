-- one row: the text of a statement that pg_stat_statements has seen, its values replaced by parameters
SELECT query
FROM {schema}.pg_stat_statements
WHERE queryid = %(queryid)s
ORDER BY calls DESC
LIMIT 1
