"""What a row of the dump becomes in our tables."""

import re
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.stackexchange.dump import Row
from examples.stackexchange.mapping import Site, role_name, tags_of, title_of

WHEN = "2018-03-09T18:48:09.477"
MOMENT = datetime(2018, 3, 9, 18, 48, 9, 477000, tzinfo=UTC)


def row(**values: object) -> Row:
    return Row("Any.xml", 3, {name: str(value) for name, value in values.items()})


@pytest.fixture
def site() -> Site:
    site = Site("quantumcomputing")
    site.user(row(Id=7, CreationDate=WHEN))
    return site


def test_a_user_gets_an_address_that_cannot_exist_and_no_password(site: Site) -> None:
    user = site.user(row(Id=-1, CreationDate=WHEN, DisplayName="Community"))
    assert user["email"] == "-1@stackexchange.invalid"
    assert (user["username"], user["password_hash"], user["created_at"]) == (None, "!", MOMENT)


def test_the_display_name_lives_in_an_event(site: Site) -> None:
    event = site.user_event(row(Id=7, CreationDate=WHEN, DisplayName="Adam", Reputation=101, AboutMe="<p>x</p>\r\n"))
    assert (event["type"], event["occurred_at"], event["user_id"]) == ("import.user", MOMENT, site.id_of("users", 7))
    assert event["payload"] == {
        "site": "quantumcomputing",
        "source_id": 7,
        "display_name": "Adam",
        "reputation": 101,
        "about": "<p>x</p>\r\n",
    }


def test_ids_depend_on_site_table_and_number_alone() -> None:
    same = [Site("a").id_of("posts", 1), Site("a").id_of("posts", "1")]
    others = {Site("b").id_of("posts", 1), Site("a").id_of("comments", 1), Site("a").id_of("posts", 2)}
    assert same[0] == same[1]
    assert len(others | {same[0]}) == 4


@pytest.mark.parametrize("author", [{}, {"OwnerUserId": 99}, {"OwnerUserId": ""}])
def test_a_deleted_author_becomes_the_one_placeholder(site: Site, author: dict[str, object]) -> None:
    post = site.post(row(Id=1, PostTypeId=1, Title="t", CreationDate=WHEN, OwnerDisplayName="user9", **author), {})
    assert post["user_id"] == site.placeholder == site.placeholder_user(MOMENT)["id"]
    assert post["metadata"]["owner_name"] == "user9"


def test_a_post_keeps_its_body_and_its_source(site: Site) -> None:
    post = site.post(
        row(Id=9, PostTypeId=2, ParentId=4, OwnerUserId=7, Body="<p>&amp;</p>\r\n", Score=-3, CreationDate=WHEN), {"4": "Why?"}
    )
    assert (post["title"], post["content"], post["user_id"]) == ("Re: Why?", "<p>&amp;</p>\r\n", site.id_of("users", 7))
    assert post["metadata"] == {
        "site": "quantumcomputing",
        "source_id": 9,
        "parent_id": 4,
        "kind": "answer",
        "score": -3,
        "tags": [],
    }


@pytest.mark.parametrize(
    ("values", "title"),
    [
        ({"PostTypeId": 1, "Title": "Own"}, "Own"),
        ({"PostTypeId": 2, "ParentId": 4}, "Re: Why?"),
        ({"PostTypeId": 2, "ParentId": 5}, "(answer 12)"),
        ({"PostTypeId": 4}, "(tag wiki excerpt 12)"),
        ({"PostTypeId": 77}, "(post of type 77 12)"),
        ({"PostTypeId": 1, "Title": "  "}, "(question 12)"),
    ],
)
def test_a_title_is_its_own_or_the_parents_or_says_what_it_is(values: dict[str, object], title: str) -> None:
    assert title_of(row(Id=12, **values), {"4": "Why?"}) == title


def test_a_title_taken_from_a_long_one_still_fits() -> None:
    assert len(title_of(row(Id=12, PostTypeId=2, ParentId=4), {"4": "w" * 255})) == 255


def test_an_empty_body_stays_empty(site: Site) -> None:
    assert site.post(row(Id=1, PostTypeId=5, CreationDate=WHEN, Body=""), {})["content"] == ""


def test_tags_are_read_from_both_spellings() -> None:
    assert tags_of("<q#><d-wave>") == tags_of("|q#|d-wave|") == ["q#", "d-wave"]


def test_a_vote_keeps_its_post_whether_or_not_it_exists(site: Site) -> None:
    vote = site.vote(row(Id=5, PostId=4711, VoteTypeId=2, CreationDate="2018-03-12T00:00:00.000"))
    assert (vote["type"], vote["user_id"]) == ("vote.up", None)
    assert vote["payload"]["post_id"] == str(site.id_of("posts", 4711))
    assert vote["payload"]["post_source_id"] == 4711


def test_a_bounty_keeps_its_amount_and_its_giver(site: Site) -> None:
    vote = site.vote(row(Id=5, PostId=1, VoteTypeId=8, UserId=7, BountyAmount=50, CreationDate=WHEN))
    assert (vote["type"], vote["user_id"], vote["payload"]["bounty"]) == ("vote.bounty_start", site.id_of("users", 7), 50)


def test_an_unknown_kind_of_vote_is_kept(site: Site) -> None:
    assert site.vote(row(Id=5, PostId=1, VoteTypeId=42, CreationDate=WHEN))["type"] == "vote.type_42"


@pytest.mark.parametrize(
    ("badge", "name"),
    [
        ("Student", "b_student"),
        ("Strunk & White", "b_strunk_white"),
        ("quantum-algorithms", "b_quantum_algorithms"),
        ("admin", "b_admin"),
    ],
)
def test_a_badge_becomes_a_role_named_after_it_where_that_fits(badge: str, name: str) -> None:
    assert role_name(badge, {}, UUID(int=1)) == name


@pytest.mark.parametrize(
    ("badge", "pattern"),
    [("Yearling of the Great Age", "b_yearling__[0-9a-f]{8}"), ("Ученик", "b_badge_[0-9a-f]{8}"), ("!", "b_badge_[0-9a-f]{8}")],
)
def test_a_badge_that_does_not_fit_gets_a_hash(badge: str, pattern: str) -> None:
    assert re.fullmatch(pattern, role_name(badge, {}, UUID(int=1)))


def test_two_badges_of_one_slug_become_two_roles() -> None:
    first, second = UUID(int=1), UUID(int=2)
    taken = {role_name("c++", {}, first): first}
    assert role_name("c#", taken, second) not in taken
    assert role_name("c++", taken, first) in taken


def test_a_badge_never_becomes_a_role_of_somebody_else() -> None:
    assert role_name("Student", {"b_student": UUID(int=9)}, UUID(int=1)) != "b_student"


@given(st.text(), st.uuids())
def test_every_badge_has_a_name_that_the_schema_takes(badge: str, identity: UUID) -> None:
    assert re.fullmatch("[a-z][a-z0-9_]{0,19}", role_name(badge, {}, identity))
