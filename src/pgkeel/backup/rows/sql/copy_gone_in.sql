-- utility: takes places.
COPY {gone} FROM STDIN
