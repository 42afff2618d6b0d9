-- utility: a role's attributes
ALTER ROLE {role} {attributes}
