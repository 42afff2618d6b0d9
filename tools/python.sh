#!/bin/sh
# Print the path of the newest released CPython that the lock supports; with --all, one a minor, newest first.
#
# Looks on PATH and in the folders of pyenv, uv, mise and asdf. A candidate counts only after it ran: shims that fail,
# pre-releases, free-threaded builds and other implementations are passed over. PYTHON=name-or-path overrides.
# Plain POSIX sh: there may be no Python at hand yet.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# pyproject.toml's classifiers say what is supported: "3.13 3.12 3.11"
minors=$(sed -n 's/^ *"Programming Language :: Python :: \(3\.[0-9][0-9]*\)".*/\1/p' "$root/pyproject.toml" | sort -t. -k2,2nr)
without_pip=''

fail() {
    printf 'error: %s\n  → %s\n' "$1" "$2" >&2
    exit 2
}

# Print "MINOR MICRO FINAL VENV PATH" of a CPython, or nothing when it does not run or is something else.
probe() {
    "$1" -I -c '
import importlib.util, sys, sysconfig
if sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED"):
    v = sys.version_info
    has_venv = all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))
    path = getattr(sys, "_base_executable", None) or sys.executable
    print("%d.%d %d %d %d %s" % (v[0], v[1], v[2], v[3] == "final", has_venv, path))
' </dev/null 2>/dev/null || :
}

is_supported() {
    for supported in $minors; do
        [ "$supported" = "$1" ] && return 0
    done
    return 1
}

# Print every file that may be Python $1 ("3.13"), one a line.
candidates() {
    (
        IFS=:
        for folder in $PATH; do
            printf '%s\n' "${folder:-.}/python$1"
        done
    )
    data=${XDG_DATA_HOME:-${HOME:-/nonexistent}/.local/share}
    for file in "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}/versions/$1".*/bin/"python$1" \
        "${UV_PYTHON_INSTALL_DIR:-$data/uv/python}"/cpython-"$1".*/bin/"python$1" \
        "$data/mise/installs/python/$1".*/bin/"python$1" \
        "${ASDF_DATA_DIR:-${HOME:-/nonexistent}/.asdf}/installs/python/$1".*/bin/"python$1"; do
        printf '%s\n' "$file"
    done
    (
        IFS=:
        for folder in $PATH; do
            printf '%s\n' "${folder:-.}/python3"
        done
    )
}

can_make_venv() { [ "$1" = 1 ] || command -v uv >/dev/null 2>&1; }

# Set $found to the best Python of minor $1, or to nothing.
best_of() {
    found='' best=-1 wanted=$1
    while IFS= read -r file; do
        # the plain `python3` is asked only where nothing carries its minor in its name
        case $file in */python3) [ -z "$found" ] || continue ;; esac
        [ -f "$file" ] && [ -x "$file" ] || continue
        IFS=' ' read -r minor micro final has_venv path <<END || continue
$(probe "$file")
END
        [ "$minor" = "$wanted" ] && [ "$final" = 1 ] && [ "$micro" -gt "$best" ] || continue
        if can_make_venv "$has_venv"; then
            best=$micro found=$path
        else
            without_pip="$minor $path"
        fi
    done <<END
$(candidates "$wanted")
END
}

named() {
    IFS=' ' read -r minor micro final has_venv path <<END || :
$(probe "$1")
END
    [ -n "${minor:-}" ] || fail "PYTHON=$1 is not a CPython that runs" "name one that does: make PYTHON=/usr/bin/python3"
    is_supported "$minor" || fail "PYTHON=$1 is Python $minor; this project runs on $(echo $minors)" "name one of those, or none"
    can_make_venv "$has_venv" || fail_without_pip "$minor" "$path"
    printf '%s\n' "$path"
}

fail_without_pip() {
    fail "Python $1 ($2) cannot make virtual environments: ensurepip is missing" \
        "on Debian and Ubuntu: apt-get install python$1-venv"
}

if [ -n "${PYTHON:-}" ]; then
    named "$PYTHON"
    exit 0
fi
any=''
for minor in $minors; do
    best_of "$minor"
    [ -n "$found" ] || continue
    printf '%s\n' "$found"
    any=$found
    [ "${1:-}" = --all ] || exit 0
done
[ -z "$any" ] || exit 0
# shellcheck disable=SC2086 # "3.11 /path" is two words
[ -z "$without_pip" ] || fail_without_pip $without_pip
newest=$(echo "$minors" | head -n 1)
fail "no released CPython of $(echo $minors) was found (PATH, pyenv, uv, mise, asdf)" \
    "apt-get install python3 python3-venv (Debian 12+, Ubuntu 24.04) · brew install python@$newest (macOS) · \
uv python install $newest · pyenv install $newest; or name yours: make PYTHON=/path/to/python3"
