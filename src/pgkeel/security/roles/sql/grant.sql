-- utility: rights on one thing for one role
GRANT {privileges} ON {kind} {target} TO {grantee}
