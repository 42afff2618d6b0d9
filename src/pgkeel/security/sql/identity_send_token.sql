-- the user to whom the token is to be sent, and the address, sealed; it takes the place of an older one. The user is locked first, as everywhere
WITH owner AS MATERIALIZED (
    SELECT id, email
    FROM users
    WHERE email_bidx = ANY (%(digests)s::bytea[])
        AND deleted_at IS NULL
        AND status = ANY(CASE %(purpose)s::text WHEN 'verify' THEN ARRAY['pending'] ELSE ARRAY['active', 'pending'] END)
    ORDER BY id
    FOR SHARE
)
INSERT INTO user_tokens (user_id, purpose, token, created_at, expires_at)
SELECT id, %(purpose)s::text, %(token)s::text, %(now)s::timestamptz, %(now)s::timestamptz + %(lifetime)s::interval
FROM owner
ORDER BY id
ON CONFLICT (user_id, purpose) DO UPDATE
SET token = EXCLUDED.token, created_at = EXCLUDED.created_at, expires_at = EXCLUDED.expires_at
RETURNING user_id, (SELECT email FROM owner WHERE owner.id = user_tokens.user_id) AS email
