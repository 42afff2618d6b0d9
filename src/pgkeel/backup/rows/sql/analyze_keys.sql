-- utility: lets the planner know how many there are.
ANALYZE {made}
