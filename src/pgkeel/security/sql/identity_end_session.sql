-- the session that ended
DELETE FROM sessions
WHERE token = %(token)s::text
RETURNING id
