-- Ends every login.
DELETE FROM public.sessions
