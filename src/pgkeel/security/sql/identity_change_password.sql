-- the user whose password is new; none where it is no longer the one that was verified. A trigger ends the sessions
UPDATE users
SET password_hash = %(hash)s::text
WHERE id = %(user)s::uuid AND password_hash = %(seen)s::text AND status = 'active' AND deleted_at IS NULL
RETURNING id
