-- one row: a person whose key is new or gone since a moment, and the server's time
SELECT id, wrapped, clock_timestamp() AS now
FROM pgkeel.subject_keys
WHERE changed_at >= %(since)s
ORDER BY changed_at DESC
LIMIT %(most)s
