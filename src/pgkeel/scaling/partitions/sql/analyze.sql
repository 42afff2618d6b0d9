-- utility: the planner's figures, so that the first query after the switch is planned well
ANALYZE {table}
