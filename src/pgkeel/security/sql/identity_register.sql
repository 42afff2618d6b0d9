-- the new account; none where the address or the username is taken
INSERT INTO users (id, email, email_bidx, email_bidx_next, username, password_hash, status)
VALUES (
    %(id)s::uuid,
    %(email)s::bytea,
    %(digest)s::bytea,
    %(next_digest)s::bytea,
    %(username)s::text,
    %(hash)s::text,
    %(status)s::text
)
ON CONFLICT DO NOTHING
RETURNING id
