"""The services that carry over to the cache what the database knows, introduced to both."""

from pgkeel.agent.services import Service
from pgkeel.agent.services.carrier import Carrier, Invalidator
from pgkeel.agent.services.follower import Follower
from pgkeel.core.errors import ConfigError
from pgkeel.core.project import Project
from pgkeel.core.secret import Secret
from pgkeel.stack.valkey import cache_secret, cache_url

__all__ = ["carriers_of"]


def carriers_of(project: Project) -> list[Service]:
    """Return the services, or nothing where there is no cache."""
    secret = cache_secret(project)
    if secret is None or not _has_cache(project):
        return []
    services = [Carrier(lambda: _carried(project, secret)).service]
    publication = project.config.cache.publication
    return [*services, Follower(lambda: _carried(project, secret), publication).service] if publication else services


def _has_cache(project: Project) -> bool:
    try:
        cache_url(project)
    except ConfigError:
        return False
    return True


def _carried(project: Project, secret: Secret) -> Invalidator:
    from pgkeel.cache.carried import Carried  # noqa: PLC0415 - needs the extra [cache]

    settings = project.config.cache
    return Carried(cache_url(project), settings.namespace, secret, round(settings.mark.total_seconds() * 1000))
