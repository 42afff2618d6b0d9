-- utility: be oneself again
RESET ROLE;
