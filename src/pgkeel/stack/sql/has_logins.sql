-- Whether the design's tables of logins and of mailed tokens are here.
SELECT to_regclass('public.sessions') IS NOT NULL AS sessions, to_regclass('public.user_tokens') IS NOT NULL AS user_tokens
