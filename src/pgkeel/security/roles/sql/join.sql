-- utility: a role in a group, from PostgreSQL 16 on
GRANT {group} TO {member} WITH INHERIT {inherits}, SET {becomes}
