-- utility: a role becomes a member of another
GRANT {role} TO {member}
