-- the account of an address
SELECT id, password_hash, status = 'active' AS is_active
FROM users
WHERE email_bidx = ANY (%(digests)s::bytea[]) AND deleted_at IS NULL
ORDER BY id
