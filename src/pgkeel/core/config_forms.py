"""The settings as others read them: an editor's JSON Schema, and the values as one would write them into the file."""

from datetime import timedelta
from typing import Any

import msgspec

from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.config import Config, leaves
from pgkeel.core.units import format_duration
from pgkeel.core.url import masked, redacted

__all__ = ["as_toml_values", "json_schema"]

_REFERENCES = ("security.key", "cache.secret", "backup.identity")


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of `pgkeel.toml`, for editors."""
    schema = msgspec.json.schema(Config)
    for section in schema["$defs"].values():
        for setting in section.get("properties", {}).values():
            if setting.pop("format", None) == "duration":
                setting["pattern"] = r"^(\d+(\.\d+)?\s*(ms|s|min|m|h|d|w)\s*)+$"
                setting["default"] = format_duration(msgspec.convert(setting["default"], timedelta))
    return schema


def as_toml_values(config: Config) -> dict[str, Any]:
    """Return `section.key` → the value as one would write it: addresses without passwords, and references of secrets alone."""
    flat = {}
    for path, _ in leaves():
        section, _, key = path.partition(".")
        flat[path] = _as_toml(getattr(getattr(config, section), key))
    if config.database.url is not None:
        flat["database.url"] = redacted(config.database.url)
    if config.cache.url is not None:
        flat["cache.url"] = redacted(config.cache.url, CacheUrl.parse)
    for path in _REFERENCES:
        if flat[path] is not None and not flat[path].startswith(("env:", "file:")):
            flat[path] = "***"  # the secret itself was written where its reference belongs
    if config.backup.engine_command is not None:
        flat["backup.engine_command"] = masked(config.backup.engine_command)
    flat["backup.repositories"] = {name: masked(place) for name, place in config.backup.repositories.items()}
    return flat


def _as_toml(value: Any) -> Any:  # noqa: ANN401 - any setting's value
    match value:
        case timedelta():
            return format_duration(value)
        case tuple():
            return list(value)
        case _:
            return value
