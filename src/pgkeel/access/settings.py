"""What every session is told when it begins."""

from pgkeel.core.config import PoolConfig

__all__ = ["session_settings"]


def session_settings(config: PoolConfig) -> dict[str, str]:
    """Return the server's settings that follow from the pool's."""
    milliseconds = round(config.statement_timeout.total_seconds() * 1000)
    return {"statement_timeout": f"{milliseconds}ms"} if milliseconds else {}
