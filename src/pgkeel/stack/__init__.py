"""The composition root: introduces the sections to each other."""

from pgkeel.stack.connection import connect, login_url
from pgkeel.stack.down import down
from pgkeel.stack.reset import plan_reset, reset
from pgkeel.stack.status import Status, status
from pgkeel.stack.up import plan_up, up
from pgkeel.stack.valkey import cache_url

__all__ = ["Status", "cache_url", "connect", "down", "login_url", "plan_reset", "plan_up", "reset", "status", "up"]
