-- the new session; none where the password, the status or the account changed since the hash was seen
WITH seen AS MATERIALIZED (
    SELECT id
    FROM users
    WHERE id = %(user)s::uuid AND password_hash = %(hash)s::text AND status = 'active' AND deleted_at IS NULL
    ORDER BY id
    FOR SHARE
)
INSERT INTO sessions (user_id, token, created_at, expires_at)
SELECT id, %(token)s::text, %(now)s::timestamptz, %(now)s::timestamptz + %(idle)s::interval
FROM seen
ORDER BY id
RETURNING id, user_id, expires_at
