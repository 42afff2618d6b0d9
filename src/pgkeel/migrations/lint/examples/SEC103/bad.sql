COPY users FROM PROGRAM 'curl http://example.com/users.csv';
