SET lock_timeout = '500ms';
