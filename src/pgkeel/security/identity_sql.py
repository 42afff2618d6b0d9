"""The statements of the identity, and what runs them: each is one statement, so that it holds on any connection."""

from pgkeel.postgres import Query, load

__all__ = [
    "ACCOUNT",
    "ACCOUNT_OF",
    "BEGIN_SESSION",
    "CHANGE_PASSWORD",
    "END_SESSION",
    "END_SESSIONS",
    "FIND_SESSION",
    "GRANT_ROLE",
    "HAS_ROLE",
    "MOVE_SESSION",
    "REGISTER",
    "REHASH",
    "RESET_PASSWORD",
    "REVOKE_ROLE",
    "ROLES",
    "SEND_TOKEN",
    "VERIFY_EMAIL",
    "WRITES",
]

ACCOUNT = load(__name__, "identity_account")
ACCOUNT_OF = load(__name__, "identity_account_of")
BEGIN_SESSION = load(__name__, "identity_begin_session")
CHANGE_PASSWORD = load(__name__, "identity_change_password")
END_SESSION = load(__name__, "identity_end_session")
END_SESSIONS = load(__name__, "identity_end_sessions")
FIND_SESSION = load(__name__, "identity_find_session")
GRANT_ROLE = load(__name__, "identity_grant_role")
HAS_ROLE = load(__name__, "identity_has_role")
MOVE_SESSION = load(__name__, "identity_move_session")
REGISTER = load(__name__, "identity_register")
REHASH = load(__name__, "identity_rehash")
RESET_PASSWORD = load(__name__, "identity_reset_password")
REVOKE_ROLE = load(__name__, "identity_revoke_role")
ROLES = load(__name__, "identity_roles")
SEND_TOKEN = load(__name__, "identity_send_token")
VERIFY_EMAIL = load(__name__, "identity_verify_email")

_PASSWORD = ("users", "sessions", "user_tokens")
WRITES: dict[Query, tuple[str, ...]] = {
    BEGIN_SESSION: ("sessions",),
    CHANGE_PASSWORD: _PASSWORD,
    END_SESSION: ("sessions",),
    END_SESSIONS: ("sessions",),
    GRANT_ROLE: ("user_roles",),
    MOVE_SESSION: ("sessions",),
    REGISTER: ("users",),
    REHASH: ("users",),
    RESET_PASSWORD: _PASSWORD,
    REVOKE_ROLE: ("user_roles",),
    SEND_TOKEN: ("user_tokens",),
    VERIFY_EMAIL: ("users", "user_tokens"),
}
"""The tables that a statement writes, with what the triggers on `users` do; the others only read."""
