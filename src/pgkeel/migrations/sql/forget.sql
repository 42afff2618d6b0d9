-- one row: a migration that another one stands for now
DELETE FROM pgkeel.migrations
WHERE source = %(source)s AND version = ANY (%(versions)s)
