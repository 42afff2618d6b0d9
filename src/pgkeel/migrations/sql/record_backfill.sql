-- one row: a backfill that waits for `migrate backfill run`
INSERT INTO pgkeel.backfills (source, version, number, options, statement)
VALUES (%(source)s, %(version)s, %(number)s, %(options)s, %(statement)s)
ON CONFLICT (source, version, number) DO NOTHING
