"""Tell whether requirements/*.txt agree with pyproject.toml, without asking any index.

Each file starts with the fingerprint of the tables it was made from; besides, every requirement must be pinned to a
version that it allows, the files must agree among themselves, every pin must carry hashes, and no address may stand there.
`--write` puts the fingerprint in (tools/lock.sh does).
"""

import hashlib
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
FILES = ("all", "bench", "run", "installer")
FINGERPRINT = "# made from pyproject.toml "
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)[^\n]*\\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


def fingerprint(project: dict[str, Any]) -> str:
    """Return the hash of everything a lock depends on."""
    tables = [project["project"].get(key) for key in ("dependencies", "optional-dependencies", "requires-python")]
    return hashlib.sha256(json.dumps([*tables, project["dependency-groups"]], sort_keys=True).encode()).hexdigest()[:32]


def pins(text: str) -> dict[str, Version]:
    """Return name → version of every pin that carries hashes."""
    return {_canonical(name): Version(version) for name, version, _ in _PIN.findall(text)}


def problems(project: dict[str, Any], files: dict[str, str]) -> Iterator[str]:
    """Yield a sentence for everything that does not agree."""
    everything = pins(files["bench"]) | pins(files["all"])
    for name, text in files.items():
        yield from (f"requirements/{name}.txt {problem}" for problem in _file_problems(project, text, everything))
    for requirement in map(Requirement, _requirements(project)):
        version = everything.get(_canonical(requirement.name))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            yield f"{requirement} is locked as {version}"


def _file_problems(project: dict[str, Any], text: str, everything: dict[str, Version]) -> Iterator[str]:
    if text.partition("\n")[0] != FINGERPRINT + fingerprint(project):
        yield "was made from another pyproject.toml"
    if "://" in text or "--index" in text or "--find-links" in text:
        yield "carries an address"
    if len(re.findall(r"^[A-Za-z0-9]", text, re.MULTILINE)) != len(pins(text)):
        yield "has a line that is not a pin with hashes"
    for name, version in pins(text).items():
        if everything.get(name) != version:
            yield f"pins {name} to {version}, another file to {everything.get(name)}"


def _requirements(project: dict[str, Any]) -> Iterator[str]:
    groups = [*project["project"]["optional-dependencies"].values(), *project["dependency-groups"].values()]
    for group in (project["project"]["dependencies"], *groups):
        yield from (entry for entry in group if isinstance(entry, str) and not entry.startswith("pgkeel["))


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main(arguments: list[str]) -> int:
    """Check, or write the fingerprints; return the exit code."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    paths = {name: ROOT / "requirements" / f"{name}.txt" for name in FILES}
    if arguments == ["--write"]:
        for path in paths.values():
            body = re.sub(r"\A# made from .*\n", "", path.read_text(encoding="utf-8"))
            path.write_text(f"{FINGERPRINT}{fingerprint(project)}\n{body}", encoding="utf-8")
        return 0
    found = list(problems(project, {name: path.read_text(encoding="utf-8") for name, path in paths.items()}))
    print("\n".join([*found, "  → make lock"] if found else ["requirements agree with pyproject.toml"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
