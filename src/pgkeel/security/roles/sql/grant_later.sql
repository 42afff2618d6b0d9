-- utility: rights on what somebody makes later; FOR ROLE names who that is
ALTER DEFAULT PRIVILEGES FOR ROLE {maker}{place} GRANT {privileges} ON {kind} TO {grantee}
