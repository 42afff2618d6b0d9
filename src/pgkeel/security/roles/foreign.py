"""Who is not ours to touch: PostgreSQL's own roles and those that providers of managed servers keep for themselves."""

import re

__all__ = ["is_untouchable"]

# Amazon RDS and Aurora, Google Cloud SQL and AlloyDB, Azure, Supabase, Neon, DigitalOcean, Aiven, Heroku, Crunchy, Scaleway
_PROVIDERS = re.compile(
    r"rds.*|aurora.*|cloudsql.*|alloydb.*|azure.*|azuresu|supabase.*|authenticator|anon|authenticated|service_role|dashboard_user"
    r"|pgbouncer|pgsodium.*|neon.*|cloud_admin|zenith_admin|_?doadmin.*|aiven.*|avnadmin|heroku.*|crunchy.*|ccp_.*|_rdb_.*"
)


def is_untouchable(role: str) -> bool:
    """Return whether no plan of ours may name a role as the one that gains or loses."""
    return role.startswith("pg_") or _PROVIDERS.fullmatch(role) is not None
