-- one row a message of pgoutput, in the order of commits
SELECT data FROM pg_logical_slot_peek_binary_changes(%(slot)s::name, %(upto)s::pg_lsn, %(most)s::integer,
    'proto_version', '1', 'publication_names', quote_ident(%(publication)s)) WITH ORDINALITY AS change (lsn, xid, data, place)
ORDER BY place
