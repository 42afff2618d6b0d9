"""Rights as parts: who may do what, turned into GRANT and REVOKE."""

from collections.abc import Iterator

from pgkeel.migrations.conversion.parts import Key, Part
from pgkeel.postgres import Row

__all__ = ["change_grant", "grant_parts"]


def grant_parts(targets: list[Row], definitions: dict[Key, str]) -> Iterator[tuple[Part, Row]]:
    """Yield each grant of a snapshot with the object that it is on."""
    for key, definition in definitions.items():
        if key[0] != "grant":
            continue
        target = next((row for row in targets if key[1].startswith(f"{row['name']} to ")), None)
        if target is not None:
            grantee = key[1].removeprefix(f"{target['name']} to ")
            facts = {"target": target["target"], "grantee": "PUBLIC" if grantee == "public" else grantee}
            yield Part(key, definition, _grant(facts, definition), _revoke(facts, definition), facts), target


def change_grant(left: Part, right: Part) -> list[str]:
    """Return what turns one set of rights into the other."""
    before, after = set(left.definition.split(", ")), set(right.definition.split(", "))
    lost = {right.rstrip("*") for right in before} - {right.rstrip("*") for right in after}
    weaker = {right for right in after if f"{right}*" in before}
    won = {right for right in after - before if right not in weaker}
    facts = dict(right.facts)
    target, grantee = facts["target"], facts["grantee"]
    option = f"REVOKE GRANT OPTION FOR {', '.join(sorted(weaker))} ON {target} FROM {grantee}"
    return [
        *([_revoke(facts, ", ".join(sorted(lost)))] if lost else []),
        *([option] if weaker else []),
        *([_grant(facts, ", ".join(sorted(won)))] if won else []),
    ]


def _grant(facts: dict[str, str], definition: str) -> str:
    rights = definition.split(", ")
    plain = [right for right in rights if not right.endswith("*")]
    passed_on = [right.rstrip("*") for right in rights if right.endswith("*")]
    given = [f"GRANT {', '.join(plain)} ON {facts['target']} TO {facts['grantee']}"] if plain else []
    if passed_on:
        given.append(f"GRANT {', '.join(passed_on)} ON {facts['target']} TO {facts['grantee']} WITH GRANT OPTION")
    return ";\n".join(given)


def _revoke(facts: dict[str, str], definition: str) -> str:
    return f"REVOKE {definition.replace('*', '')} ON {facts['target']} FROM {facts['grantee']}"
