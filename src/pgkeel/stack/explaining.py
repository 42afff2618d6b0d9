"""What a read of a project's row through its cache would do, the model introduced to the cache."""

import json
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from msgspec.structs import replace

from pgkeel.access.shape import Shape, shape_of
from pgkeel.core.errors import ConfigError, NotFound, UsageError
from pgkeel.core.project import Project
from pgkeel.core.units import parse_duration
from pgkeel.schema.loading import load_base
from pgkeel.stack.valkey import cache_secret, cache_url

if TYPE_CHECKING:
    from pgkeel.cache.explain import Explanation

__all__ = ["explain_row"]


def explain_row(project: Project, model: str, key: str) -> "Explanation":
    """Return what a read of a row would do now.

    Args:
        project: Whose cache.
        model: The model's name, or its table's; a table without a model will do.
        key: The row's key; of several columns a JSON list: `["a", 1]`.

    Raises:
        ConfigError: There is no cache, or its secret is not known.
        UsageError: The key is not of the model's type.
        Unreachable: The cache does not answer.
    """
    from pgkeel.cache.explain import explain  # noqa: PLC0415 - needs the extra [cache]
    from pgkeel.cache.names import Names  # noqa: PLC0415 - as above

    secret = cache_secret(project)
    if secret is None:
        raise ConfigError("the secret of the cache's keys is not known", hint="set [cache] secret")
    names, shape = Names(project.config.cache.namespace, secret), _shape(project, model)
    url, mark = cache_url(project), project.config.cache.mark
    if shape is None:
        found = explain(url, names, model, _parts(key), mark=mark)
        return replace(found, why=f"{found.why}; {_no_model(project, model)}") if found.holds == "nothing" else found
    if shape.cache is None:
        raise NotFound(f"{shape.name} is not cached", hint='write cache = Row(ttl="5m") into the model')
    wanted = _converted(shape, _parts(key))
    ttl = parse_duration(shape.cache.ttl)
    return explain(url, names, shape.table.fullname, wanted, row=shape.row, ttl=ttl, mark=mark)


def _shape(project: Project, model: str) -> Shape[Any] | None:
    found: Any = _models(project).get(model.removeprefix("public."))
    return None if found is None else shape_of(found)


def _models(project: Project) -> dict[str, type]:
    """Return the models by their names and by those of their tables."""
    mappers = list(load_base(project.config.schema.models, project.root).registry.mappers)
    by_table = {str(getattr(mapper.local_table, "fullname", "")): mapper.class_ for mapper in mappers}
    return by_table | {mapper.class_.__name__: mapper.class_ for mapper in mappers}


def _no_model(project: Project, name: str) -> str:
    """Say that there is no such model, and which is meant: a name that is misspelt is one that nobody has read."""
    by_lower = {known.lower(): known for known in _models(project)}
    near = [by_lower[each] for each in get_close_matches(name.removeprefix("public.").lower(), by_lower, n=1)]
    return f"no model is named {name}" + "".join(f": is {each} meant?" for each in near)


def _parts(key: str) -> object:
    if key.startswith("["):
        try:
            return tuple(json.loads(key))
        except (ValueError, TypeError) as err:
            raise UsageError("a key of several columns is a JSON list", hint="""write '["a", 1]'""") from err
    try:
        return UUID(key)
    except ValueError:
        return int(key) if re.fullmatch("-?[0-9]{1,18}", key) else key


def _converted(shape: Shape[Any], key: object) -> object:
    kinds = tuple(column.type.python_type for column in shape.key)
    wanted: Any = kinds[0] if len(kinds) == 1 else tuple.__class_getitem__(kinds)
    plain = str(key) if isinstance(key, UUID | int) and wanted is str else key
    try:
        return msgspec.convert(plain, wanted, strict=False)
    except msgspec.ValidationError as err:
        parts = ", ".join(kind.__name__ for kind in kinds)
        hint = f"it is of type {parts}" if len(kinds) == 1 else f"it is a JSON list of {parts}"
        raise UsageError(f"{shape.name}: this is not a key: {err}", hint=hint) from err
