-- the role that the user has from now on, if there is such a role and such a user
WITH granted AS MATERIALIZED (
    SELECT users.id AS user_id, roles.id AS role_id
    FROM users
    CROSS JOIN roles
    WHERE users.id = %(user)s::uuid AND users.deleted_at IS NULL AND roles.name = %(role)s::text
    ORDER BY users.id
), added AS (
    INSERT INTO user_roles (user_id, role_id, granted_by)
    SELECT user_id, role_id, %(by)s::uuid
    FROM granted
    ORDER BY user_id
    ON CONFLICT DO NOTHING
)
SELECT role_id
FROM granted
ORDER BY role_id
