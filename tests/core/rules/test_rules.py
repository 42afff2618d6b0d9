"""Rules, what a team accepts, and the four reports."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgkeel.core.errors import ConfigError, NotFound, UsageError
from pgkeel.core.rules import (
    Acceptances,
    Accepted,
    Finding,
    Ignore,
    Outcome,
    Place,
    Registry,
    Report,
    Rule,
    Severity,
    Verdict,
    as_github,
    as_json,
    as_text,
    judge,
    read_ignore,
)

INDEX = Rule("IDX002", "unindexed_foreign_key", "Indexes", Severity.WARNING, "Deletes scan the child.", "Create an index.")
LOCK = Rule("MIG001", "plain_index", "Migrations", Severity.ERROR, "Writers wait.", "Use CONCURRENTLY.")
BACKUP = Rule("BAK004", "backups_beside_the_data", "Backup & Recovery", Severity.INFO, "One disk holds both.", "Name a store.")
RULES = Registry([INDEX, LOCK, BACKUP])

FOREIGN_KEY = Finding(INDEX, "posts.posts_user_id_fkey", "no index", "CREATE INDEX ON posts (user_id);")
LOCKING = Finding(LOCK, "posts", "locks writers out", place=Place("migrations/20260101000000_a,b.sql", 3, 7))


def report(*, accept: dict[str, str] | None = None, ignored: tuple[Accepted, ...] = ()) -> Report:
    verdicts = [
        Verdict.of(INDEX, [FOREIGN_KEY]),
        Verdict.of(LOCK, [LOCKING]),
        Verdict.not_evaluated(BACKUP, "pg_hba cannot be read"),
    ]
    return judge(verdicts, Acceptances(accept or {}, RULES), ignored=ignored)


def test_severities_are_ordered_and_print_as_words() -> None:
    assert Severity.INFO < Severity.WARNING < Severity.ERROR
    assert [str(severity) for severity in Severity] == ["info", "warning", "error"]
    assert Severity.parse("warning") is Severity.WARNING
    with pytest.raises(NotFound):
        Severity.parse("bad")


@pytest.mark.parametrize("code", ["idx002", "IDX2", "I002", "INDEX002", "IDX0021", ""])
def test_a_code_that_cannot_stand_in_an_ignore_list_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="is not a rule code"):
        Rule(code, "x", "Indexes", Severity.INFO, "", "")


def test_every_rule_has_an_address() -> None:
    assert INDEX.url.endswith("/docs/rules.md#idx002-unindexed_foreign_key")


def test_two_rules_of_one_code_or_one_name_are_refused() -> None:
    for twin in (Rule("IDX002", "other", "s", Severity.INFO, "", ""), Rule("IDX003", INDEX.name, "s", Severity.INFO, "", "")):
        with pytest.raises(ValueError, match="two rules"):
            Registry([INDEX, twin])


def test_an_unknown_rule_is_answered_with_the_nearest() -> None:
    with pytest.raises(NotFound) as caught:
        RULES.get("idx02")
    assert caught.value.hint == "did you mean IDX002?"
    assert RULES.get("IDX002") is INDEX
    assert "IDX002" in RULES
    assert len(list(RULES)) == len(RULES) == 3


def test_a_finding_has_the_key_that_an_ignore_list_names() -> None:
    assert FOREIGN_KEY.key == "IDX002:posts.posts_user_id_fkey"


def test_a_rule_that_could_not_run_is_not_one_that_passed() -> None:
    outcomes = [verdict.outcome for verdict in report().verdicts]
    assert outcomes == [Outcome.FAILED, Outcome.FAILED, Outcome.NOT_EVALUATED]
    assert report().with_outcome(Outcome.PASSED) == ()
    assert Verdict.of(INDEX, []).outcome is Outcome.PASSED


def test_the_worst_finding_stands_first() -> None:
    assert report().findings == (LOCKING, FOREIGN_KEY)


def test_an_accepted_finding_is_set_apart_with_its_reason() -> None:
    accepted = report(accept={FOREIGN_KEY.key: "ten rows for ever"})
    assert accepted.findings == (LOCKING,)
    assert accepted.accepted == (Accepted(FOREIGN_KEY, "ten rows for ever"),)
    assert (accepted.count(Severity.WARNING), accepted.count(Severity.ERROR)) == (0, 1)


def test_a_whole_rule_can_be_accepted() -> None:
    assert report(accept={"IDX002": "not here"}).findings == (LOCKING,)


def test_a_finding_that_a_comment_silences_is_set_apart() -> None:
    silenced = report(ignored=(Accepted(LOCKING, "the table is empty", is_in_source=True),))
    assert silenced.findings == (FOREIGN_KEY,)
    assert silenced.accepted[0].is_in_source


def test_an_acceptance_that_nothing_needs_is_named() -> None:
    assert report(accept={"IDX002:gone": "was small", "IDX002": "all"}).unused == ("IDX002:gone",)


@pytest.mark.parametrize(
    ("key", "reason", "message"),
    [
        ("IDX002:posts.x", " ", "has no reason"),
        ("IDX002:", "why", "is not RULE:object"),
        ("IDX020:posts.x", "why", "is not RULE:object"),
        ("posts.x", "why", "is not RULE:object"),
        ("", "why", "is not RULE:object"),
    ],
)
def test_an_acceptance_needs_a_known_rule_and_a_reason(key: str, reason: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Acceptances({key: reason}, RULES)
    assert caught.value.hint


def test_the_exit_code_is_one_from_the_asked_severity_on() -> None:
    accepted = report(accept={"MIG001": "tiny"})
    assert (accepted.exit_code(), accepted.exit_code(Severity.WARNING), accepted.exit_code(Severity.ERROR)) == (1, 1, 0)


@pytest.mark.parametrize(
    ("comment", "codes", "reason"),
    [
        ("-- pgkeel: ignore IDX002 -- small", ("IDX002",), "small"),
        ("--pgkeel:ignore MIG001,IDX002 --  two -- dashes ", ("MIG001", "IDX002"), "two -- dashes"),
        ("  -- pgkeel: ignore MIG001 , IDX002 -- why\n", ("MIG001", "IDX002"), "why"),
    ],
)
def test_a_comment_silences_rules_with_a_reason(comment: str, codes: tuple[str, ...], reason: str) -> None:
    assert read_ignore(comment, RULES) == Ignore(codes, reason)


@pytest.mark.parametrize(
    "comment", ["-- Up Migration", "-- pgkeel: irreversible -- why", "-- ignore IDX002 -- x", "SELECT 1", ""]
)
def test_other_comments_silence_nothing(comment: str) -> None:
    assert read_ignore(comment, RULES) is None


@pytest.mark.parametrize(
    "comment",
    [
        "-- pgkeel: ignore",
        "-- pgkeel: ignore IDX002",
        "-- pgkeel: ignore IDX002 --",
        "-- pgkeel: ignore -- why",
        "-- pgkeel: ignore x -- y",
    ],
)
def test_a_comment_without_rules_or_reason_is_refused(comment: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_ignore(comment, RULES)
    assert "-- pgkeel: ignore IDX002 -- why" in caught.value.hint


def test_a_comment_that_silences_an_unknown_rule_is_refused() -> None:
    with pytest.raises(NotFound):
        read_ignore("-- pgkeel: ignore IDX020 -- why", RULES)


@given(st.text())
def test_no_comment_breaks_the_reader(comment: str) -> None:
    try:
        read_ignore("-- pgkeel: ignore" + comment, RULES)
    except UsageError as err:
        assert err.hint  # noqa: PT017 - either it reads, or it says why


def test_a_person_reads_place_fix_and_sum() -> None:
    assert as_text(report(accept={FOREIGN_KEY.key: "ten rows"})).splitlines() == [
        "migrations/20260101000000_a,b.sql:3:7: MIG001 error: posts: locks writers out",
        "  → Use CONCURRENTLY.",
        "IDX002:posts.posts_user_id_fkey is accepted: ten rows",
        "BAK004 was not evaluated: pg_hba cannot be read",
        "1 open (1 error) · 1 accepted · 1 rules not evaluated",
    ]


def test_a_name_from_a_database_cannot_drive_the_terminal() -> None:
    evil = Finding(INDEX, "a\x1b[2Jb", "x\ry", "SELECT 1;\nSELECT '\x07';")
    text = as_text(judge([Verdict.of(INDEX, [evil])], Acceptances({}, RULES)))
    assert "\x1b" not in text
    assert "\r" not in text
    assert "\x07" not in text


def test_a_program_reads_every_outcome() -> None:
    shown = json.loads(json.dumps(as_json(report(accept={FOREIGN_KEY.key: "ten rows"}))))
    assert shown["summary"]["open"] == {"error": 1, "warning": 0, "info": 0}
    assert shown["summary"]["not_evaluated"] == 1
    assert shown["findings"][0]["place"] == {"file": "migrations/20260101000000_a,b.sql", "line": 3, "column": 7}
    assert shown["accepted"][0] | {"reason": "ten rows"} == shown["accepted"][0]
    assert shown["not_evaluated"] == [{"rule": "BAK004", "reason": "pg_hba cannot be read"}]


def test_github_annotations_are_escaped_as_the_runner_wants() -> None:
    lines = as_github(report()).splitlines()
    assert lines == [
        "::error file=migrations/20260101000000_a%2Cb.sql,line=3,col=7,title=MIG001 plain_index::posts: locks writers out",
        "::warning title=IDX002 unindexed_foreign_key::posts.posts_user_id_fkey: no index%0ACREATE INDEX ON posts (user_id);",
        "::warning title=BAK004 backups_beside_the_data::not evaluated: pg_hba cannot be read",
    ]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_one_finding_is_one_annotation_whatever_it_is_called(name: str) -> None:
    found = judge([Verdict.of(INDEX, [Finding(INDEX, name, name)])], Acceptances({}, RULES))
    assert as_github(found).count("\n") == 0
