-- Makes every mailed token useless.
DELETE FROM public.user_tokens
