-- one row: the key of a person who had none
INSERT INTO pgkeel.subject_keys (id, wrapped)
VALUES (%(id)s, %(wrapped)s)
ON CONFLICT (id) DO NOTHING
RETURNING id
