-- utility: a role out of a group
REVOKE {group} FROM {member} CASCADE
