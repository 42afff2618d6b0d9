"""Who has a key in a cluster, as one node says; for threads."""

from typing import Any

from redis.cluster import ClusterNode, NodesManager
from redis.crc import key_slot

__all__ = ["owner_of"]


def owner_of(key: bytes, host: str, port: int, options: dict[str, Any]) -> tuple[str, int]:
    """Return the host and port of the primary that has a key.

    Args:
        key: The key.
        host: Whom to ask.
        port: The same.
        options: Of redis-py's connections.

    Raises:
        RedisClusterException: It does not answer, or knows nobody.
    """
    seed = ClusterNode(host, port)  # type: ignore[no-untyped-call]
    nodes = NodesManager([seed], **options)  # asks
    try:
        found = nodes.get_node_from_slot(key_slot(key))
        return found.host or host, found.port  # a node that does not know its own address was reached under this one
    finally:
        nodes.close()
