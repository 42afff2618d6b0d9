-- one row: the new key
INSERT INTO pgkeel.keys (id, state, provider, wrapped)
VALUES (%(id)s, %(state)s, %(provider)s, %(wrapped)s)
RETURNING id
