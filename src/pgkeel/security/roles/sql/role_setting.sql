-- utility: what a role's sessions begin with
ALTER ROLE {role} SET {setting} = {value}
