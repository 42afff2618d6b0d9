import os
from collections.abc import Callable
from typing import IO

import pytest

from pgkeel.backup import Damaged, Folder, KeyTaken, Part, WrongKey, new_identity, recipient_of, seal, unseal
from pgkeel.core.repository import Repository
from pgkeel.core.secret import Secret

CONTENT = os.urandom(300_000)
Replace = Callable[[Repository, str, bytes], None]


def sealed(repository: Repository, *identities: Secret, content: bytes = CONTENT, key: str = "1/a/base") -> tuple[Part, ...]:
    recipients = [recipient_of(identity) for identity in identities]

    def write(sink: IO[bytes]) -> None:
        sink.write(content)

    return seal(write, key=key, repositories=[repository], recipients=recipients, part=100_000)


def opened(repository: Repository, parts: tuple[Part, ...], identity: Secret) -> bytes:
    got: list[bytes] = []

    def read(source: IO[bytes]) -> None:
        got.append(source.read())

    unseal([repository], parts, identity=identity, read=read)
    return b"".join(got)


@pytest.mark.parametrize("content", [b"", b"x", CONTENT, bytes(5_000_000)], ids=["empty", "tiny", "random", "zeros"])
def test_what_was_sealed_is_opened_again(repository: Repository, identity: Secret, content: bytes) -> None:
    parts = sealed(repository, identity, content=content)

    assert opened(repository, parts, identity) == content


def test_any_one_of_two_recipients_opens_it(folder: Folder, identity: Secret) -> None:
    second = new_identity()

    parts = sealed(folder, identity, second)

    assert opened(folder, parts, identity) == opened(folder, parts, second) == CONTENT


def test_another_identity_does_not_open_it(folder: Folder, identity: Secret) -> None:
    parts = sealed(folder, identity)

    with pytest.raises(WrongKey):
        opened(folder, parts, new_identity())


def test_a_file_of_identities_opens_what_any_of_them_does_and_the_first_says_for_whom(folder: Folder, identity: Secret) -> None:
    made = "\n".join(("# created: 2026-11-27T15:30:00Z", f"# public key: {recipient_of(identity)}", identity.reveal(), ""))
    old = new_identity()
    both = Secret(f"{made}\n# before the change\n{old.reveal()}\n")

    assert recipient_of(both) == recipient_of(Secret(made)) == recipient_of(identity)
    assert opened(folder, sealed(folder, identity), both) == CONTENT
    assert opened(folder, sealed(folder, old, key="1/b/base"), both) == CONTENT


def test_nothing_clear_lies_in_the_repository(folder: Folder, identity: Secret) -> None:
    parts = sealed(folder, identity, content=b"the secret sentence" * 1000)

    assert not any(b"secret" in (folder.get(part.key) or b"") for part in parts)


@pytest.mark.parametrize("part", [0, 1, -1])
@pytest.mark.parametrize("harm", ["flip", "truncate", "lose", "empty"])
def test_a_damaged_part_is_never_opened(folder: Folder, identity: Secret, replace: Replace, harm: str, part: int) -> None:
    parts = sealed(folder, identity)
    key = parts[part].key
    whole = folder.get(key) or b""
    if harm == "lose":
        folder.delete(key)
    else:
        flipped = whole[:-1] + bytes([whole[-1] ^ 1])
        replace(folder, key, {"flip": flipped, "truncate": whole[:-1], "empty": b""}[harm])

    with pytest.raises(Damaged, match=key):
        opened(folder, parts, identity)


def test_another_object_under_the_key_is_refused(repository: Repository, identity: Secret) -> None:
    repository.put("1/a/base.00001", b"somebody else's")

    with pytest.raises(KeyTaken):
        sealed(repository, identity)
    assert repository.get("1/a/base.00001") == b"somebody else's"


@pytest.mark.parametrize("content", ["", "# only a remark\n", "age1notthis", "{good}\nand a note"])
def test_what_is_no_file_of_identities_is_refused(identity: Secret, content: str) -> None:
    with pytest.raises(WrongKey, match="no age identity"):
        recipient_of(Secret(content.format(good=identity.reveal())))


@pytest.mark.parametrize("recipients", [[], ["age1bad"], ["AGE-SECRET-KEY-1"]])
def test_wrong_recipients_are_refused_before_anything_is_written(folder: Folder, recipients: list[str]) -> None:
    with pytest.raises(WrongKey):
        seal(lambda _: None, key="1/a/base", repositories=[folder], recipients=recipients)
    assert not folder.root.exists()


def test_a_wrong_identity_is_not_repeated(folder: Folder) -> None:
    with pytest.raises(WrongKey) as refusal:
        recipient_of(Secret("AGE-SECRET-KEY-1NOTSO"))
    assert "NOTSO" not in str(refusal.value.as_dict())


def test_an_error_of_the_source_is_raised_and_no_object_is_complete(folder: Folder, identity: Secret) -> None:
    def fail(sink: IO[bytes]) -> None:
        sink.write(CONTENT)
        raise OSError("the source vanished")

    with pytest.raises(OSError, match="vanished"):
        seal(fail, key="1/a/base", repositories=[folder], recipients=[recipient_of(identity)], part=100_000)
