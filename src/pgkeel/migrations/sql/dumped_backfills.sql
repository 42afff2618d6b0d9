-- one row: a backfill of the ledger as the INSERT that a dump holds; finished, since a new database has no rows to change
SELECT format('INSERT INTO pgkeel.backfills (source, version, number, options, statement, status, finished_at) '
           'VALUES (%%L, %%L, %%s, %%L, %%L, ''finished'', now())', source, version, number, options, statement) AS statement
FROM pgkeel.backfills
ORDER BY source, version, number
