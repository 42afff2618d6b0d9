-- utility: the default role of every user together with the roles it was given
CREATE VIEW user_effective_roles WITH (security_invoker = true) AS
    SELECT users.id AS user_id, users.role
    FROM users
    WHERE users.deleted_at IS NULL
    UNION
    SELECT user_roles.user_id, roles.name AS role
    FROM user_roles
    JOIN roles ON roles.id = user_roles.role_id
    JOIN users ON users.id = user_roles.user_id
    WHERE users.deleted_at IS NULL
