"""What the agent does without end: one service a file, each started again when it fails."""

from pgkeel.agent.services.service import Service, Supervised

__all__ = ["Service", "Supervised"]
