from tests.projects import home, running

__all__ = ["home", "running"]
