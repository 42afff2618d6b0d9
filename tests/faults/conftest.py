"""The same places and clusters as the tests of the local room have."""

from tests.local.conftest import make_cluster, place, run_as

__all__ = ["make_cluster", "place", "run_as"]
