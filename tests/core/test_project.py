"""`pgkeel.toml`: what it may say, where values come from, and what a mistake is answered with."""

import os
import tomllib
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgkeel.core.config import Config, leaves
from pgkeel.core.config_forms import as_toml_values, json_schema
from pgkeel.core.errors import ConfigError
from pgkeel.core.project import find_root, load


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("PGKEEL_"):
            monkeypatch.delenv(name)


def write(folder: Path, text: str) -> Path:
    (folder / "pgkeel.toml").write_text(text, encoding="utf-8")
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder)
    assert caught.value.hint
    return f"{caught.value} → {caught.value.hint}"


def test_the_defaults_are_the_designs_numbers(tmp_path: Path) -> None:
    config = load(tmp_path).config
    assert (config.pool.min, config.pool.max) == (2, 10)
    assert (config.pool.idle, config.pool.connect) == (timedelta(seconds=30), timedelta(seconds=2))
    assert config.monitor.slow_query == timedelta(seconds=1)


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "[pool]\nmin = 3\nmax = 20\nidle = '1m'\n")
    monkeypatch.setenv("PGKEEL_POOL__MAX", "30")
    monkeypatch.setenv("PGKEEL_POOL__IDLE", "2m")
    project = load(tmp_path, flags={"pool.idle": "3m", "pool.min": None})
    assert (project.config.pool.connect, project.config.pool.min, project.config.pool.max) == (timedelta(seconds=2), 3, 30)
    assert project.config.pool.idle == timedelta(minutes=3)
    assert [project.origins[f"pool.{key}"] for key in ("connect", "min", "max", "idle")] == (
        ["default", "pgkeel.toml", "PGKEEL_POOL__MAX", "flag"]
    )


def test_every_setting_has_an_origin(tmp_path: Path) -> None:
    assert set(load(tmp_path).origins) == {path for path, _ in leaves()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[pol]\nmin = 1", "[pol] is not a known setting → did you mean pool?"),
        ("[pool]\nmni = 1", "pool.mni is not a known setting → did you mean pool.min?"),
        ("pool = 3", "pool must be a section"),
        ("[pool]\nmin = 'two'", "pgkeel.toml: pool.min: Expected `int`, got `str`"),
        ("[pool]\nmin = 20", "pool.min is 20 but pool.max is 10"),
        ("[cache]\nmark = '0s'", "cache.mark is 0s: too short for a write"),
        ("[pool]\nidle = 30", "pool.idle: '30' is not a duration"),
        ("[pool]\nidle = '30 parsecs'", "is not a duration"),
        ("[local]\nport = 70000", "local.port is 70000"),
        ("[backup]\nrpo = 'Zero'", "backup.rpo: 'Zero' is not a duration → write \"zero\""),
        ("[backup]\nslot_limit = '10 gigs'", "backup.slot_limit: '10 gigs' is not a size"),
        ("[backup]\nminimum = 0", "backup.minimum is 0"),
        ("[pool", "is not valid TOML"),
        ("[checks]\naccept = {a = 3}", "checks.accept"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_the_nearest_key(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refusal(write(tmp_path, text))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PGKEEL_POOL__MNI", "1", "PGKEEL_POOL__MNI: pool.mni is not a known setting → did you mean pool.min?"),
        ("PGKEEL_POOL__MIN", "two", "PGKEEL_POOL__MIN must be a whole number"),
        ("PGKEEL_POOL__MIN", "--2", "PGKEEL_POOL__MIN must be a whole number"),
        ("PGKEEL_LOCAL__VALKEY", "yes", "PGKEEL_LOCAL__VALKEY must be true or false"),
        ("PGKEEL_SCHEMA__REFERENCE", "perhaps", "PGKEEL_SCHEMA__REFERENCE must be true or false"),
        ("PGKEEL_AGENT__SCHEDULES", "{health", "PGKEEL_AGENT__SCHEDULES must be a table"),
        ("PGKEEL_POOL__IDLE", "soon", "PGKEEL_POOL__IDLE: pool.idle: 'soon' is not a duration"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(name, value)
    assert expected in refusal(tmp_path)


def test_the_environment_sets_every_kind_of_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGKEEL_LOCAL__VALKEY", "False")
    monkeypatch.setenv("PGKEEL_SCHEMA__REFERENCE", "true")
    monkeypatch.setenv("PGKEEL_LOCAL__RUN_AS", "postgres")
    monkeypatch.setenv("PGKEEL_AGENT__SCHEDULES", '{health = "* * * * *"}')
    config = load(tmp_path).config
    assert (config.local.valkey, config.schema.reference, config.local.run_as) == (False, True, "postgres")
    assert config.agent.schedules == {"health": "* * * * *"}


def test_a_variable_that_is_no_setting_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGKEEL_DEBUG", "1")
    assert load(tmp_path).config == Config()


def test_a_byte_order_mark_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "pgkeel.toml").write_bytes(b"\xef\xbb\xbf[pool]\nmax = 11\n")
    assert load(tmp_path).config.pool.max == 11


def test_a_file_that_is_not_utf_8_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "pgkeel.toml").write_bytes(b"[pool]\nmax = 1\xff\n")
    assert "is not valid TOML" in refusal(tmp_path)


def test_the_project_is_found_from_a_folder_below(tmp_path: Path) -> None:
    below = write(tmp_path, "") / "a/b"
    below.mkdir(parents=True)
    assert find_root(below) == tmp_path
    assert load(below).state == tmp_path / ".pgkeel"


def test_without_a_file_the_folder_itself_is_the_project(tmp_path: Path) -> None:
    assert find_root(tmp_path) == tmp_path


def test_a_password_in_the_file_is_refused_and_never_shown(tmp_path: Path) -> None:
    project = load(write(tmp_path, '[database]\nurl = "postgresql://u:Zq7@h/d"\n'))
    with pytest.raises(ConfigError, match=r"pgkeel\.toml: database\.url holds a password") as caught:
        project.external_url()
    assert "Zq7" not in f"{caught.value} {caught.value.hint} {as_toml_values(project.config)}"


@pytest.mark.parametrize(
    "written",
    [
        '[security]\nkey = "Zq7"',
        '[cache]\nsecret = "Zq7"',
        '[backup]\nidentity = "AGE-SECRET-KEY-Zq7"',
        '[backup]\nrepositories = { off = "s3://key:Zq7@bucket/x", geo = "s3://b/x?endpoint=https://u:Zq7@h&key=Zq7" }',
    ],
)
def test_a_secret_where_its_reference_belongs_is_not_shown(tmp_path: Path, written: str) -> None:
    shown = as_toml_values(load(write(tmp_path, written + "\n")).config)

    assert "Zq7" not in str(shown)
    assert "***" in str(shown)


def test_a_reference_is_shown_as_it_is(tmp_path: Path) -> None:
    written = '[security]\nkey = "env:KEY"\n[backup]\nrepositories = { off = "s3://bucket/x?endpoint=http://h:9&region=eu" }\n'
    shown = as_toml_values(load(write(tmp_path, written)).config)

    assert shown["security.key"] == "env:KEY"
    assert shown["backup.repositories"] == {"off": "s3://bucket/x?endpoint=http://h:9&region=eu"}


def test_an_external_address_is_followed_through_its_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:secret@h/d")
    by_environment = load(write(tmp_path, '[database]\nurl = "env:DATABASE_URL"\n'))
    (tmp_path / "address").write_text("host=h user=u password=secret dbname=d\n")
    by_file = load(write(tmp_path, '[database]\nurl = "file:address"\n'))
    assert by_environment.external_url() == by_file.external_url()
    assert by_file.is_external


def test_the_reference_schema_lives_on_the_embedded_stack_unless_somebody_asks(tmp_path: Path) -> None:
    assert load(tmp_path).has_reference_schema
    assert not load(write(tmp_path, '[database]\nurl = "env:X"\n')).has_reference_schema
    assert load(write(tmp_path, '[database]\nurl = "env:X"\n[schema]\nreference = true\n')).has_reference_schema


def test_no_external_database_is_an_error_that_says_where_to_write_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no external database"):
        load(tmp_path).external_url()


def test_the_json_schema_accepts_what_load_accepts() -> None:
    schema = json_schema()
    good = tomllib.loads("[pool]\nidle = '1h30m'\nmin = 1\n[checks]\naccept = {'IDX002:a.b' = 'why'}\n")
    jsonschema.validate(good, schema)
    bads: list[dict[str, dict[str, object]]] = [{"pool": {"idle": "soon"}}, {"pool": {"mni": 1}}, {"pol": {}}]
    for bad in bads:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, schema)


def test_every_default_is_valid_in_the_json_schema() -> None:
    nested: dict[str, dict[str, object]] = {}
    for path, value in as_toml_values(Config()).items():
        section, _, key = path.partition(".")
        if value is not None:
            nested.setdefault(section, {})[key] = value
    jsonschema.validate(nested, json_schema())


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
def test_no_flag_makes_more_than_a_config_error(flags: dict[str, str]) -> None:
    try:
        load(Path("/"), flags=flags)
    except ConfigError as err:
        assert err.hint  # noqa: PT017 - either it loads, or it says why
