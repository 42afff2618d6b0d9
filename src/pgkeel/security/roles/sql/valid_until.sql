-- utility: when a login's password ends; sessions that are open stay
ALTER ROLE {role} VALID UNTIL {moment}
