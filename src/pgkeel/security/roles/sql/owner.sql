-- utility: whose something is
ALTER {kind} {target} OWNER TO {owner}
