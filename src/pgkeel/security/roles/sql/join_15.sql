-- utility: a role in a group on PostgreSQL 15, where inheriting is the role's own attribute
GRANT {group} TO {member}
