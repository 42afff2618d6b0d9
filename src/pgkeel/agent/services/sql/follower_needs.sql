-- one row: whether the server decodes, and whether the publication is there
SELECT current_setting('wal_level') = 'logical' AS is_logical,
       EXISTS (SELECT FROM pg_publication WHERE pubname = %(publication)s) AS is_published
ORDER BY 1
