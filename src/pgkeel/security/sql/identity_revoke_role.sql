-- the role that the user had beside the default one
DELETE FROM user_roles
USING roles
WHERE user_roles.role_id = roles.id AND user_roles.user_id = %(user)s::uuid AND roles.name = %(role)s::text
RETURNING roles.id
