-- the user whose password is new; the token is used up. The user is locked first, as everywhere; a trigger ends the sessions
WITH owner AS MATERIALIZED (
    SELECT users.id
    FROM users
    JOIN user_tokens ON user_tokens.user_id = users.id
    WHERE user_tokens.token = %(token)s::text AND user_tokens.purpose = 'reset'
        AND users.deleted_at IS NULL AND users.status IN ('active', 'pending')
    ORDER BY users.id
    FOR NO KEY UPDATE OF users
), used AS (
    DELETE FROM user_tokens
    USING owner
    WHERE user_tokens.user_id = owner.id AND user_tokens.purpose = 'reset'
        AND user_tokens.token = %(token)s::text AND user_tokens.expires_at > %(now)s::timestamptz
    RETURNING user_tokens.user_id
)
UPDATE users
SET password_hash = %(hash)s::text
FROM used
WHERE users.id = used.user_id
RETURNING users.id
