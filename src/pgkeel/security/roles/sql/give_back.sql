-- utility: a login out of the group that it took itself into, as far as it did
REVOKE {group} FROM {member}
