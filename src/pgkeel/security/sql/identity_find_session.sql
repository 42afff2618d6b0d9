-- the valid session of a token, and where its end is moved to when that brings it enough: not on every request
SELECT
    id,
    user_id,
    expires_at,
    CASE WHEN slides_to >= expires_at + %(idle)s::interval / 20 THEN slides_to END AS slides_to
FROM (
    SELECT
        sessions.id,
        sessions.user_id,
        sessions.expires_at,
        LEAST(%(now)s::timestamptz + %(idle)s::interval, sessions.created_at + %(absolute)s::interval) AS slides_to
    FROM sessions
    JOIN users ON users.id = sessions.user_id
    WHERE sessions.token = %(token)s::text
        AND sessions.expires_at > %(now)s::timestamptz
        AND sessions.created_at + %(absolute)s::interval > %(now)s::timestamptz
        AND users.status = 'active'
        AND users.deleted_at IS NULL
) AS found
ORDER BY id
