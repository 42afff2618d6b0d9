"""What a rule says, and what it found."""

import difflib
import enum
import re
from collections.abc import Iterable, Iterator

import msgspec

from pgkeel.core.errors import NotFound

__all__ = ["Finding", "Place", "Registry", "Rule", "Severity"]

CODE = re.compile(r"[A-Z]{3,4}\d{3}")
_DOCUMENTATION = "https://github.com/pgkeel/pgkeel/blob/main/docs/rules.md"


class Severity(enum.IntEnum):
    """How much a finding matters; ordered, so that `>= Severity.WARNING` reads as it should."""

    INFO = 1
    WARNING = 2
    ERROR = 3

    def __str__(self) -> str:
        """Return the word: `info`, `warning`, `error`."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> "Severity":
        """Return the severity of a word.

        Raises:
            NotFound: It is not one of the three.
        """
        try:
            return cls[word.upper()]
        except KeyError as err:
            raise NotFound(f"{word!r} is not a severity", hint="info, warning or error") from err


class Rule(msgspec.Struct, frozen=True):
    """One rule of the design.

    Attributes:
        code: Three or four letters of the section and three digits: `IDX002`. Never reused.
        name: The rule in a few words, as an identifier: `unindexed_foreign_key`.
        section: The heading of the design that it comes from.
        severity: How much a finding matters.
        problem: What goes wrong where it is broken.
        fix: How one puts it right.
    """

    code: str
    name: str
    section: str
    severity: Severity
    problem: str
    fix: str

    def __post_init__(self) -> None:
        """Refuse a code that cannot be written in an ignore list."""
        if CODE.fullmatch(self.code) is None:
            raise ValueError(f"{self.code!r} is not a rule code such as IDX002")

    @property
    def url(self) -> str:
        """The address of what the documentation says about the rule."""
        return f"{_DOCUMENTATION}#{self.code.lower()}-{self.name}"


class Place(msgspec.Struct, frozen=True):
    """Where in a file, counted from 1; the file is relative to the project."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        """Return `file:line:column`."""
        return f"{self.file}:{self.line}:{self.column}"


class Finding(msgspec.Struct, frozen=True):
    """One object that breaks one rule.

    Attributes:
        rule: The rule.
        object: What breaks it, named as the database names it: `posts.posts_user_id_fkey`.
        detail: What was seen, for this object.
        fix: The SQL that would put it right, or "".
        place: Where in the sources, when it is known.
    """

    rule: Rule
    object: str
    detail: str
    fix: str = ""
    place: Place | None = None

    @property
    def key(self) -> str:
        """What a team writes into its list of accepted findings: `IDX002:posts.posts_user_id_fkey`."""
        return f"{self.rule.code}:{self.object}"


class Registry:
    """All rules by code, in the order they were given."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Keep the rules.

        Raises:
            ValueError: Two rules have one code or one name.
        """
        self._rules: dict[str, Rule] = {}
        names: set[str] = set()
        for rule in rules:
            if rule.code in self._rules or rule.name in names:
                raise ValueError(f"two rules are called {rule.code} or {rule.name}")
            self._rules[rule.code] = rule
            names.add(rule.name)

    def __iter__(self) -> Iterator[Rule]:
        """Yield every rule."""
        return iter(self._rules.values())

    def __len__(self) -> int:
        """Count the rules."""
        return len(self._rules)

    def __contains__(self, code: object) -> bool:
        """Tell whether a code is known."""
        return code in self._rules

    def get(self, code: str) -> Rule:
        """Return the rule of a code.

        Raises:
            NotFound: There is none; the hint names the nearest.
        """
        if code not in self._rules:
            near = difflib.get_close_matches(code.upper(), self._rules, n=1, cutoff=0.6)
            raise NotFound(f"there is no rule {code}", hint=f"did you mean {near[0]}?" if near else "`pgkeel check list`")
        return self._rules[code]
