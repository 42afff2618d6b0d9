-- utility: rights on what somebody makes later; that of PUBLIC on routines goes everywhere or not at all
ALTER DEFAULT PRIVILEGES FOR ROLE {maker}{place} REVOKE {option}{privileges} ON {kind} FROM {grantee}
