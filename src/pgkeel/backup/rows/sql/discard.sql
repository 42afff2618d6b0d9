-- utility: an earlier search in this session leaves nothing behind.
DISCARD TEMP
