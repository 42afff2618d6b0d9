-- utility: a role out of a group, as far as one grantor took it in
REVOKE {group} FROM {member} GRANTED BY {grantor} CASCADE
