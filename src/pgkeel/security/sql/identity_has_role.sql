-- whether an account that may log in has the role
SELECT EXISTS (
    SELECT
    FROM user_effective_roles
    JOIN users ON users.id = user_effective_roles.user_id
    WHERE user_effective_roles.user_id = %(user)s::uuid
        AND user_effective_roles.role = %(role)s::text
        AND users.status = 'active'
) AS has_role
ORDER BY 1
