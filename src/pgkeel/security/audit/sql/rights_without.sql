-- utility: the rights by grantee that others do not have; NULL where there are none
CREATE OR REPLACE FUNCTION audit.rights_without(rights jsonb, others jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT jsonb_object_agg(grantee, privileges)
    FROM (SELECT one.key AS grantee, jsonb_agg(privilege ORDER BY privilege) AS privileges
          FROM jsonb_each(rights) AS one, jsonb_array_elements_text(one.value) AS privilege
          WHERE NOT coalesce(others -> one.key, '[]') @> to_jsonb(privilege) GROUP BY 1) AS missing
$body$;
