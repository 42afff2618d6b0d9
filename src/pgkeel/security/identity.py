"""Accounts, sessions, roles and mailed tokens; the async form is here, the sync one in `pgkeel.security.sync`."""

from pgkeel.security._async.identity import Identity, Statements
from pgkeel.security.identity_errors import AlreadyRegistered, InvalidCredentials, InvalidToken, TooManyAttempts
from pgkeel.security.passwords import Passwords
from pgkeel.security.policy import Login, Policy, Session

__all__ = [
    "AlreadyRegistered",
    "Identity",
    "InvalidCredentials",
    "InvalidToken",
    "Login",
    "Passwords",
    "Policy",
    "Session",
    "Statements",
    "TooManyAttempts",
]
