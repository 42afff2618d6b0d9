-- utility: takes rows.
COPY {waiting} ({columns}) FROM STDIN
