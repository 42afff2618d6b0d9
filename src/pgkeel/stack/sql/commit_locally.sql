-- utility: commits of this session wait for nobody but this server's disk
SET synchronous_commit = local
