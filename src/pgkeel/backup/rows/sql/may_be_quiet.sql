-- Whether this login may write past triggers.
SELECT has_parameter_privilege('session_replication_role', 'SET') AS may
