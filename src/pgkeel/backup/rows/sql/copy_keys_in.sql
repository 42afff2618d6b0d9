-- utility: takes keys.
COPY {made} FROM STDIN
