-- the account of an id
SELECT id, password_hash, status = 'active' AS is_active
FROM users
WHERE id = %(user)s::uuid AND deleted_at IS NULL
ORDER BY id
