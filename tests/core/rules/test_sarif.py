"""SARIF 2.1.0: what the standard requires of every object that we write."""

import json
import os
from pathlib import Path
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

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
URI = {"type": "string", "pattern": '^[^ <>"{}|\\\\^`]+$'}
INTEGER = {"type": "integer", "minimum": 1}

# sections 3.13 (log), 3.14 (run), 3.18-19 (tool), 3.20 (invocation), 3.27 (result), 3.28-30 (places), 3.35 (suppression),
# 3.49 (descriptor), 3.58 (notification) of the standard: the required properties and the closed vocabularies we use
ESSENTIALS: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": URI,
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/run"}},
    },
    "$defs": {
        "run": {
            "type": "object",
            "required": ["tool", "results"],
            "properties": {
                "tool": {"type": "object", "required": ["driver"], "properties": {"driver": {"$ref": "#/$defs/driver"}}},
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "invocations": {"type": "array", "items": {"$ref": "#/$defs/invocation"}},
                "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
            },
        },
        "driver": {
            "type": "object",
            "required": ["name", "rules"],
            "properties": {
                "name": {"type": "string", "minLength": 1},
                "informationUri": URI,
                "rules": {"type": "array", "uniqueItems": True, "items": {"$ref": "#/$defs/descriptor"}},
            },
        },
        "descriptor": {
            "type": "object",
            "required": ["id"],
            "properties": {
                "id": {"type": "string"},
                "shortDescription": TEXT,
                "fullDescription": TEXT,
                "help": TEXT,
                "helpUri": URI,
                "defaultConfiguration": {"type": "object", "properties": {"level": LEVEL}},
            },
        },
        "invocation": {
            "type": "object",
            "required": ["executionSuccessful"],
            "properties": {
                "executionSuccessful": {"type": "boolean"},
                "toolExecutionNotifications": {
                    "type": "array",
                    "items": {"type": "object", "required": ["message"], "properties": {"message": TEXT, "level": LEVEL}},
                },
            },
        },
        "result": {
            "type": "object",
            "required": ["message", "ruleId", "ruleIndex", "level"],
            "properties": {
                "message": TEXT,
                "level": LEVEL,
                "ruleIndex": {"type": "integer", "minimum": 0},
                "locations": {"type": "array", "items": {"$ref": "#/$defs/location"}},
                "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
                "suppressions": {
                    "type": "array",
                    "items": {"type": "object", "required": ["kind"], "properties": {"kind": {"enum": ["inSource", "external"]}}},
                },
            },
        },
        "location": {
            "type": "object",
            "properties": {
                "physicalLocation": {
                    "type": "object",
                    "required": ["artifactLocation"],
                    "properties": {
                        "artifactLocation": {"type": "object", "required": ["uri"], "properties": {"uri": URI}},
                        "region": {"type": "object", "properties": {"startLine": INTEGER, "startColumn": INTEGER}},
                    },
                },
            },
        },
    },
}


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


def test_the_log_has_what_the_standard_requires(log: dict[str, Any]) -> None:
    jsonschema.validate(log, ESSENTIALS)


def test_the_log_validates_against_the_whole_schema_of_oasis(log: dict[str, Any]) -> None:
    file = os.environ.get("PGKEEL_SARIF_SCHEMA")
    if file is None:
        pytest.skip("name OASIS's sarif-schema-2.1.0.json in PGKEEL_SARIF_SCHEMA; it is not ours to copy")

    jsonschema.validate(log, json.loads(Path(file).read_text()))


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
