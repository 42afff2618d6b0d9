-- the session with its end moved; none where it was ended meanwhile
UPDATE sessions
SET expires_at = GREATEST(expires_at, %(slides_to)s::timestamptz)
WHERE id = %(id)s::uuid
RETURNING id, user_id, expires_at
