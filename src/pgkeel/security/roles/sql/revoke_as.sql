-- utility: rights that somebody else than the owner granted: only in their name can they be revoked
SET LOCAL ROLE {grantor};
REVOKE {option}{privileges} ON {kind} {target} FROM {grantee} CASCADE;
RESET ROLE
