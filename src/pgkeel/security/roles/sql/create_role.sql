-- utility: a role that may do nothing, not even log in
CREATE ROLE {role}
