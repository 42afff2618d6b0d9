"""`make audit`: ask an advisory service about every pinned package; what nobody could be asked is "not evaluated", never green.

A service that answers is no proof: a mirror of the index without advisories says of every package that it does not know
it. So each service is asked first about a release that is known to be vulnerable, and is believed only when it says so.

Exits 0 without a vulnerability, 1 with one, and 3 where no service can be reached.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("run.txt", "all.txt")
SERVICES = ("pypi", "osv")
KNOWN = "urllib3==1.24.1\n"
FOUND, UNREACHABLE = 1, 3


def main(program: Sequence[str] = (sys.executable, "-m", "pip_audit")) -> int:
    """Audit the lock files with the first service that knows what is known."""
    reasons = []
    for service in SERVICES:
        reason = _unknown(program, service)
        if reason is None:
            return _audited(program, service)
        reasons.append(f"{service}: {reason}")
    print(f"not evaluated: no advisory service can be reached ({'; '.join(reasons)})", file=sys.stderr)
    return UNREACHABLE


def _unknown(program: Sequence[str], service: str) -> str | None:
    """Return why a service is not believed, or None."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "known.txt"
        file.write_text(KNOWN)
        dependencies, said = _asked(program, service, file)
    if any(one.get("vulns") for one in dependencies or ()):
        return None
    return said or f"it knows nothing against {KNOWN.strip()}"


def _audited(program: Sequence[str], service: str) -> int:
    """Print what the service knows against the pinned packages."""
    count, bad = 0, []
    for lock in LOCKS:
        dependencies, said = _asked(program, service, ROOT / "requirements" / lock)
        if dependencies is None:
            print(f"{lock}: {said}", file=sys.stderr)
            return FOUND
        count += len(dependencies)
        bad += list(_lines(dependencies))
    print("\n".join([*sorted(set(bad)), f"{count} pins of {', '.join(LOCKS)} asked at {service}, {len(set(bad))} advisories"]))
    return FOUND if bad else 0


def _asked(program: Sequence[str], service: str, file: Path) -> tuple[list[dict[str, Any]] | None, str]:
    """Return what `pip-audit --strict` knows of a file's packages, or None and its last words."""
    command = [*program, "--strict", "--disable-pip", "--no-deps", "--progress-spinner=off", "--format=json"]
    done = subprocess.run([*command, "-s", service, "-r", str(file)], capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)["dependencies"], ""
    except (json.JSONDecodeError, KeyError):
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        return None, lines[-1].strip()[:200] if lines else f"pip-audit ended with {done.returncode}"


def _lines(dependencies: Sequence[dict[str, Any]]) -> Iterator[str]:
    for one in dependencies:
        for found in one.get("vulns", ()):
            fixed = ", ".join(found.get("fix_versions", ())) or "nothing yet"
            yield f"{one['name']} {one.get('version', '?')}: {found['id']}, fixed in {fixed}"


if __name__ == "__main__":
    sys.exit(main())
