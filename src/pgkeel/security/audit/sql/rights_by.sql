-- utility: rights by grantee
CREATE OR REPLACE FUNCTION audit.rights_by(acl aclitem[]) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT coalesce(jsonb_object_agg(grantee, privileges), '{}')
    FROM (SELECT CASE item.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(item.grantee) END AS grantee,
                 jsonb_agg(item.privilege_type || CASE WHEN item.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
                           ORDER BY item.privilege_type) AS privileges
          FROM aclexplode(acl) AS item GROUP BY 1) AS one
$body$;
