-- each role of an account: the default one and those that were granted
SELECT role
FROM user_effective_roles
WHERE user_id = %(user)s::uuid
ORDER BY role
