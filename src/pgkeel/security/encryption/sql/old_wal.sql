-- one row: how many segments of WAL were written, or wait to be overwritten, since before a place in it
SELECT count(*) AS segments
FROM pg_ls_waldir()
WHERE name ~ '^[0-9A-F]{24}$' AND modification < %(at)s
ORDER BY 1
