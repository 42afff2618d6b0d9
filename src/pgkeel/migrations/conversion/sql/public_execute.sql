-- one row: whether a function that this role makes may be executed by everybody
SELECT NOT EXISTS (
    SELECT FROM pg_default_acl
    WHERE defaclobjtype = 'f'
      AND defaclnamespace = 0
      AND defaclrole = current_user::regrole
      AND NOT EXISTS (SELECT FROM aclexplode(defaclacl) AS acl WHERE acl.grantee = 0 AND acl.privilege_type = 'EXECUTE')
) AS gives_public_execute
