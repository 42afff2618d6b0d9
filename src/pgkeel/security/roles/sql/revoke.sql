-- utility: rights on one thing from one role, and what it passed on
REVOKE {option}{privileges} ON {kind} {target} FROM {grantee} CASCADE
