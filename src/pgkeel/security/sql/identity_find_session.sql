-- the valid session of a token; its end is moved when that brings it enough, not on every request
WITH found AS MATERIALIZED (
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
    ORDER BY sessions.id
), slid AS (
    UPDATE sessions
    SET expires_at = found.slides_to
    FROM found
    WHERE sessions.id = found.id AND found.slides_to >= found.expires_at + %(idle)s::interval / 20
    RETURNING sessions.id, sessions.expires_at
)
SELECT found.id, found.user_id, COALESCE(slid.expires_at, found.expires_at) AS expires_at
FROM found
LEFT JOIN slid ON slid.id = found.id
ORDER BY found.id
