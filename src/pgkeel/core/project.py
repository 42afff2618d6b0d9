"""A project folder: where `pgkeel.toml` is, what it says, and where each value came from.

Order: default < file < environment `PGKEEL_SECTION__KEY` < flag.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec

from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.config import ZERO, BackupConfig, Config, leaves
from pgkeel.core.errors import ConfigError
from pgkeel.core.secret import Secret
from pgkeel.core.units import Size, format_duration, parse_duration
from pgkeel.core.url import Url

__all__ = ["FILE_NAME", "Project", "find_root", "load"]

FILE_NAME = "pgkeel.toml"
_PREFIX = "PGKEEL_"
_REFERENCES = ("env:", "file:")
_SHORTEST_MARK = timedelta(milliseconds=100)


class Project(msgspec.Struct, frozen=True):
    """A project folder with its configuration.

    Attributes:
        root: The folder of `pgkeel.toml`, or the current folder when there is none.
        config: The values.
        origins: Where each `section.key` came from: `default`, `pgkeel.toml`, `PGKEEL_…` or `flag`.
        address: Another database than the configured one: one of many on which the project's files are used.
    """

    root: Path
    config: Config
    origins: Mapping[str, str]
    address: Url | None = None

    @property
    def state(self) -> Path:
        """The folder in which the embedded stack keeps its state."""
        return self.root / self.config.local.directory

    @property
    def is_external(self) -> bool:
        """Whether the database is one that pgkeel does not run."""
        return self.config.database.url is not None or self.address is not None

    @property
    def has_reference_schema(self) -> bool:
        """Whether the design's tables are kept here."""
        wanted = self.config.schema.reference
        return (not self.is_external) if wanted is None else wanted

    def external_url(self) -> Url:
        """Return the external address, its reference followed.

        Raises:
            ConfigError: There is none, the reference points to nothing, or a password stands in the file.
        """
        text = self.config.database.url
        if self.address is not None:
            return self.address
        if text is None:
            raise ConfigError("no external database is configured", hint="set [database] url in pgkeel.toml")
        url = Url.parse(self._followed(text))
        if url.has_secrets:
            self._refuse_password(text, "database.url", "DATABASE_URL")
        return url

    def cache_url(self) -> CacheUrl | None:
        """Return the external cache's address, its reference followed; None where the embedded Valkey is the cache.

        Raises:
            ConfigError: The reference points to nothing, or a password stands in the file.
        """
        text = self.config.cache.url
        if text is None:
            return None
        url = CacheUrl.parse(self._followed(text))
        if url.password is not None:
            self._refuse_password(text, "cache.url", "CACHE_URL")
        return url

    def _followed(self, text: str) -> str:
        return Secret.from_reference(text, folder=self.root).reveal() if text.startswith(_REFERENCES) else text

    def _refuse_password(self, text: str, setting: str, variable: str) -> None:
        if not text.startswith(_REFERENCES):
            origin = self.origins[setting]
            raise ConfigError(f"{origin}: {setting} holds a password", hint=f'write url = "env:{variable}" and export it')


def find_root(start: Path) -> Path:
    """Return the nearest folder upwards that holds `pgkeel.toml`, else `start`."""
    return next((folder for folder in (start, *start.parents) if os.path.isfile(folder / FILE_NAME)), start)  # noqa: PTH113 - Path.is_file raises below a folder that may not be searched


def load(start: Path | None = None, *, flags: Mapping[str, Any] | None = None) -> Project:
    """Return the project of a folder, read from its file, the environment and `flags` (`{"local.postgres": "16"}`).

    Raises:
        ConfigError: A key is unknown or a value does not fit; the message names the place and the nearest known key.
    """
    root = find_root((start or Path.cwd()).resolve())
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, layer in _layers(root, flags or {}):
        for path, value in layer:
            section, _, key = path.partition(".")
            values.setdefault(section, {})[key] = _with_unit(path, value, origin)
            origins[path] = origin
    config = _convert(values, origins)
    _refuse_contradictions(config)
    return Project(root, config, {path: origins.get(path, "default") for path, _ in leaves()})


def _layers(root: Path, flags: Mapping[str, Any]) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    file = root / FILE_NAME
    if file.is_file():
        yield FILE_NAME, list(_flatten(_read(file)))
    for path, kind in leaves():
        name = _PREFIX + path.upper().replace(".", "__")
        if name in os.environ:
            yield name, [(path, _from_text(os.environ[name], kind, name))]
    known = {path for path, _ in leaves()}
    for name in sorted(os.environ):
        if name.startswith(_PREFIX) and "__" in name:
            _require_known(name.removeprefix(_PREFIX).lower().replace("__", ".", 1), known, name)
    for path in flags:
        _require_known(path, known, "flag")
    yield "flag", [(path, value) for path, value in flags.items() if value is not None]


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise ConfigError(f"{file} is not valid TOML: {err}", hint="correct that line") from err
    except OSError as err:
        raise ConfigError(f"{file} cannot be read: {err.strerror}", hint="correct its permissions") from err


def _flatten(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    sections = [field.name for field in msgspec.structs.fields(Config)]
    for section, content in tree.items():
        if section not in sections:
            raise _unknown(f"[{section}]", section, sections, FILE_NAME)
        if not isinstance(content, dict):
            raise ConfigError(f"{FILE_NAME}: {section} must be a section", hint=f"write [{section}] on a line of its own")
        for key, value in content.items():
            path = f"{section}.{key}"
            _require_known(path, {leaf for leaf, _ in leaves()}, FILE_NAME)
            yield path, value


def _require_known(path: str, known: set[str], origin: str) -> None:
    if path not in known:
        raise _unknown(path, path, sorted(known), origin)


def _unknown(shown: str, given: str, known: list[str], origin: str) -> ConfigError:
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "`pgkeel config show` lists the known keys"
    return ConfigError(f"{origin}: {shown} is not a known setting", hint=hint)


def _with_unit(path: str, value: Any, origin: str) -> Any:  # noqa: ANN401 - any TOML value
    if dict(leaves())[path] is not timedelta or isinstance(value, timedelta):
        return value
    try:
        return parse_duration(value if isinstance(value, str) else repr(value))
    except ConfigError as err:
        raise ConfigError(f"{origin}: {path}: {err.message}", hint=err.hint) from err


def _from_text(text: str, kind: Any, name: str) -> Any:  # noqa: ANN401 - a type form, any TOML value
    kinds = get_args(kind) if get_origin(kind) is not None else (kind,)
    if bool in kinds:
        if text.lower() not in {"true", "false"}:
            raise ConfigError(f"{name} must be true or false", hint=f"export {name}=true")
        return text.lower() == "true"
    if kind is int:
        if re.fullmatch(r"-?[0-9]+", text) is None:
            raise ConfigError(f"{name} must be a whole number", hint=f"export {name}=10")
        return int(text)
    match get_origin(kind):
        case origin if origin is dict:
            return _value(text, name, kind="table", example='{key = "value"}')
        case origin if origin is tuple:
            return _value(text, name, kind="list", example='["one", "two"]')
        case _:
            return text


def _value(text: str, name: str, *, kind: str, example: str) -> Any:  # noqa: ANN401 - any TOML value
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as err:
        raise ConfigError(f"{name} must be a {kind} as TOML writes it: {err}", hint=f"export {name}='{example}'") from err


def _convert(values: dict[str, Any], origins: Mapping[str, str]) -> Config:
    try:
        return msgspec.convert(values, Config, builtin_types=(timedelta,))
    except msgspec.ValidationError as err:
        reason, _, path = str(err).partition(" - at `$.")
        path = path.rstrip("`")
        raise ConfigError(f"{origins.get(path, FILE_NAME)}: {path or 'value'}: {reason}", hint=f"correct {path}") from err


def _refuse_contradictions(config: Config) -> None:
    pool = config.pool
    if not 0 <= pool.min <= pool.max or pool.max < 1:
        raise ConfigError(f"pool.min is {pool.min} but pool.max is {pool.max}", hint="0 <= pool.min <= pool.max, pool.max >= 1")
    for path, port in (("local.port", config.local.port), ("local.valkey_port", config.local.valkey_port)):
        if not 0 <= port < 65536:
            raise ConfigError(f"{path} is {port}", hint="a port is a number from 1 to 65535, or 0 for a free one")
    if config.cache.mark < _SHORTEST_MARK:
        hint = "a write is over within it: write 10s, or what your transactions take at most"
        raise ConfigError(f"cache.mark is {format_duration(config.cache.mark)}: too short for a write", hint=hint)
    _require_promises(config.backup)


def _require_promises(backup: BackupConfig) -> None:
    """Prove that what backups promise can be read: a promise that is misspelled would quietly not be kept."""
    if backup.rpo != ZERO:
        try:
            parse_duration(backup.rpo)
        except ConfigError as err:
            raise ConfigError(f"backup.rpo: {err.message}", hint=f'write "{ZERO}", or a duration as 15s') from err
    try:
        Size.parse(backup.slot_limit)
    except ConfigError as err:
        raise ConfigError(f"backup.slot_limit: {err.message}", hint=err.hint) from err
    if backup.minimum < 1:
        raise ConfigError(f"backup.minimum is {backup.minimum}", hint="at least one full backup stays: write 1 or more")
