-- one row: a person of whom nothing opens any more, nor can be sealed
INSERT INTO pgkeel.subject_keys (id, wrapped)
VALUES (%(id)s, NULL)
ON CONFLICT (id) DO UPDATE SET wrapped = NULL, changed_at = clock_timestamp()
RETURNING id
