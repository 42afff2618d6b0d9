-- one row: a key of the ring, wrapped
SELECT id, state, provider, wrapped, changed_at
FROM pgkeel.keys
ORDER BY id
