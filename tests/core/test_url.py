"""Addresses: read from both forms, never printed with what is secret."""

import copy
import pickle
import string

import psycopg.conninfo
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pgkeel.core.errors import ConfigError
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url, masked, redacted

# never a part of what is printed by chance; what follows is hostile
MARK = "Zq7"
characters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
passwords = st.text(characters, max_size=20).map(lambda text: MARK + text)
raw_passwords = st.text("/?#@:&=% '\\ab1", max_size=12).map(lambda text: MARK + text)
names = st.text(string.ascii_letters + string.digits + "_-. @/%é", min_size=1, max_size=12)


@given(user=names, password=passwords, database=names)
def test_a_url_is_read_back_as_it_was_written(user: str, password: str, database: str) -> None:
    url = Url(user=user, host="db.example", port=5433, database=database, password=Secret(password))
    assert Url.parse(url.reveal()) == url


@given(user=names, password=passwords, database=names)
def test_libpq_reads_our_url_as_we_mean_it(user: str, password: str, database: str) -> None:
    url = Url(user=user, host="db.example", port=5433, database=database, password=Secret(password))
    assert psycopg.conninfo.conninfo_to_dict(url.reveal()) == url.keywords()


@given(password=passwords)
@example(password="Zq7://")
@example(password="postgresql://u@h/d")
def test_libpq_and_we_read_a_keyword_dsn_alike(password: str) -> None:
    dsn = psycopg.conninfo.make_conninfo("host=h user=u", password=password)
    assert Url.parse(dsn).keywords() == psycopg.conninfo.conninfo_to_dict(dsn)


@given(password=passwords)
def test_a_password_is_printed_by_neither_form(password: str) -> None:
    for url in (
        Url.parse(Url(user="u", host="h", database="d", password=Secret(password)).reveal()),
        Url.parse(psycopg.conninfo.make_conninfo("host=h user=u", password=password)),
        Url(host="h", options={"sslpassword": password, "password": password}),
    ):
        assert MARK not in f"{url} {url!r} {[url]} {url.options} {url.without_password().reveal()}"


@given(
    password=raw_passwords,
    before=st.sampled_from(["postgresql://u:", "postgresql://u:1", "postgresql://u:p@h", "host=h password="]),
)
def test_a_password_that_nobody_encoded_is_never_printed_either(password: str, before: str) -> None:
    """`u:12/secret@h/db` means port 12 and a database to libpq; it is refused, and the refusal keeps quiet."""
    after = "" if before.startswith("host") else "@h/db"
    try:
        shown = str(Url.parse(before + password + after))
    except ConfigError as err:
        shown = f"{err} {err.hint} {err.data}"
    assert MARK not in shown


@pytest.mark.parametrize(
    "text",
    [
        "mysql://u:Zq7@h/d",
        "postgresql://u:12/Zq7@h/d",
        "postgresql://u:p@h?Zq7@h/d",
        "postgresql://u:Zq7@h:99999/d",
        "postgresql://u:Zq7@h:port/d",
        "postgresql://u:Zq7%FF@h/d",
        "postgresql://u:Zq7@h1:5432,h2:5433/d",
        "postgresql://h/d?Zq7 x=1",
        "host=h password='Zq7",
        "Zq7",
    ],
)
def test_an_address_that_is_wrong_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Url.parse(text)
    assert "Zq7" not in f"{caught.value} {caught.value.hint} {caught.value.data}"
    assert caught.value.hint


def test_every_part_of_a_url_is_read() -> None:
    url = Url.parse("postgresql+asyncpg://me:s%40fe@[::1]:5433/my%20db?sslmode=verify-full&application_name=a+b")
    assert (url.user, url.host, url.port, url.database) == ("me", "::1", 5433, "my db")
    assert url.password == Secret("s@fe")
    assert url.options == {"sslmode": "verify-full", "application_name": "a+b"}


def test_a_socket_folder_is_read_from_the_host_or_the_query() -> None:
    for text in (
        "postgresql://u@%2Ftmp%2Fx:5433/d",
        "postgresql://u@/d?host=/tmp/x&port=5433",
        "host=/tmp/x port=5433 user=u dbname=d",
    ):
        url = Url.parse(text)
        assert (url.host, url.port, url.database) == ("/tmp/x", 5433, "d")
        assert Url.parse(url.reveal()) == url


def test_an_abstract_socket_is_not_taken_for_a_password() -> None:
    assert Url.parse("postgresql:///d?host=@abstract").host == "@abstract"


def test_an_apostrophe_within_an_unquoted_value_is_kept_as_libpq_does() -> None:
    assert Url.parse("host=h password=it's").password == Secret("it's")


def test_the_printed_form_says_where_and_who() -> None:
    assert str(Url.parse("host=h port=5433 user=u password=x dbname=d sslmode=require")) == (
        "postgresql://u:***@h:5433/d?sslmode=require"
    )


def test_changes_keep_what_is_not_named() -> None:
    url = Url.parse("postgresql://u:p@h/d?sslpassword=s").with_database("other").with_options(connect_timeout="2")
    assert url.keywords() == {
        "user": "u",
        "password": "p",
        "host": "h",
        "dbname": "other",
        "connect_timeout": "2",
        "sslpassword": "s",
    }
    assert url.with_login("v").password is None
    assert not url.without_password().has_secrets


def test_a_url_cannot_be_pickled_or_copied_by_accident() -> None:
    url = Url.parse("postgresql://u:p@h/d")
    for door in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            door(url)


def test_an_address_in_the_configuration_is_shown_without_its_password() -> None:
    assert redacted("postgresql://u:Zq7@h/d") == "postgresql://u:***@h/d"
    assert redacted("env:DATABASE_URL") == "env:DATABASE_URL"
    assert redacted("postgresql://u:1/Zq7@h") == "***"


@pytest.mark.parametrize(
    "written",
    [
        "DATABASE_URL=postgresql://u:Zq7@h/d",  # the whole line of an .env file
        "host=h user=u passwrd=Zq7",
        "postgresql://u@h/d?PASSWORD=Zq7",
        "postgresql://u@h/d?sslmode=require&apikey=Zq7",
    ],
)
def test_behind_a_name_that_is_no_option_a_password_may_stand(written: str) -> None:
    url = Url.parse(written)

    assert MARK not in f"{url} {url!r} {url.options} {redacted(written)} {url.without_password().reveal()}"
    assert MARK in url.reveal()


@pytest.mark.parametrize(
    "said",
    [
        "postgresql://u:Zq7@h/d?sslpassword=Zq7&host=b",
        'cannot connect: "host=h password=Zq7 user=u"',
        "host=h password = 'a \\' Zq7' user=u",
        "password=Zq7\\ Zq7 user=u",
        "the end is cut off: password='a Zq7",
        "PGPASSWORD=Zq7 AWS_SECRET_ACCESS_KEY=Zq7 program",
        '{"host": "h", "password": "a \\" Zq7"}',
    ],
)
def test_whatever_a_program_says_is_shown_without_the_passwords_in_it(said: str) -> None:
    assert MARK not in masked(said)
    assert "***" in masked(said)


@pytest.mark.parametrize(
    "said",
    [
        'FATAL: password authentication failed for user "u"',
        "passfile=/run/u.pgpass user=u",
        "s3://bucket/prefix?endpoint=https://host&region=name",
    ],
)
def test_what_holds_no_password_is_shown_as_it_is(said: str) -> None:
    assert masked(said) == said
