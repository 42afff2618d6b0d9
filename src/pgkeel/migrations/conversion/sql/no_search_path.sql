-- one row: the emptied search_path, so that every definition names its schemas
SELECT set_config('search_path', '', true) AS search_path
