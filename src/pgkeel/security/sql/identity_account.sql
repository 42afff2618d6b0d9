-- the account of an address
SELECT id, password_hash, status = 'active' AS is_active
FROM users
WHERE email = lower(btrim(%(email)s::text)) AND deleted_at IS NULL
ORDER BY id
