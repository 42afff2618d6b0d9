"""The table of posts as Django sees it; `configured` must come first."""

from collections.abc import Callable
from importlib import import_module
from typing import Any
from uuid import UUID

from pgkeel.core.url import Url

__all__ = ["reader"]


def reader(url: Url) -> Callable[[UUID], object]:
    """Return what reads a post by its id, over one connection that is kept."""
    django: Any = import_module("django")
    settings: Any = import_module("django.conf").settings
    keywords = url.keywords()
    place: dict[str, Any] = {"NAME": keywords.pop("dbname"), "USER": keywords.pop("user"), "HOST": keywords.pop("host")}
    place |= {"PORT": keywords.pop("port"), "PASSWORD": keywords.pop("password", ""), "OPTIONS": keywords}
    database = {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": None, **place}
    if not settings.configured:
        settings.configure(DATABASES={"default": database}, INSTALLED_APPS=[], USE_TZ=True)
        django.setup()
    posts = _model()
    connections: Any = import_module("django.db").connections
    connections["default"].close()
    connections.settings["default"] = connections.configure_settings({"default": database})["default"]
    del connections["default"]
    return lambda key: posts.objects.get(id=key, deleted_at__isnull=True)


_made: list[Any] = []


def _model() -> Any:  # noqa: ANN401 - Django has no types here
    if _made:
        return _made[0]
    models: Any = import_module("django.db.models")

    class Posts(models.Model):  # type: ignore[misc]
        id = models.UUIDField(primary_key=True)
        user_id = models.UUIDField()
        title = models.TextField()
        content = models.TextField()
        status = models.TextField()
        metadata = models.JSONField()
        published_at = models.DateTimeField(null=True)
        created_at = models.DateTimeField()
        updated_at = models.DateTimeField()
        version = models.BigIntegerField()
        deleted_at = models.DateTimeField(null=True)

        class Meta:
            app_label = "bench"
            db_table = "posts"
            managed = False

    _made.append(Posts)
    return Posts
