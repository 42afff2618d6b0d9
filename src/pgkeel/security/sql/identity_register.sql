-- the new account; none where the address or the username is taken
INSERT INTO users (email, username, password_hash, status)
VALUES (lower(btrim(%(email)s::text)), %(username)s::text, %(hash)s::text, %(status)s::text)
ON CONFLICT DO NOTHING
RETURNING id
