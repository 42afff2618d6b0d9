"""Who has a key in a cluster, as one node says; for tasks."""

from typing import Any

from redis.asyncio.cluster import ClusterNode, RedisCluster

__all__ = ["owner_of"]


async def owner_of(key: bytes, host: str, port: int, options: dict[str, Any]) -> tuple[str, int]:
    """Return the host and port of the primary that has a key.

    The nodes are asked for, and the client is not opened: that asks the first primary for its commands, and fails where that one,
    which need not be ours, is dead.

    Args:
        key: The key.
        host: Whom to ask.
        port: The same.
        options: Of redis-py's connections.

    Raises:
        RedisClusterException: It does not answer, or knows nobody.
    """
    cluster = RedisCluster(startup_nodes=[ClusterNode(host, port)], require_full_coverage=False, **options)
    try:
        await cluster.nodes_manager.initialize()
        found = cluster.get_node_from_key(key.decode())
        assert found is not None  # noqa: S101 - a primary
        return found.host or host, int(found.port)  # a node that does not know its own address was reached under this one
    finally:
        await cluster.nodes_manager.aclose("startup_nodes")
        await cluster.nodes_manager.aclose()
