-- each session that ended
DELETE FROM sessions
WHERE user_id = %(user)s::uuid
RETURNING id
