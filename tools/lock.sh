#!/bin/sh
# Write requirements/*.txt from pyproject.toml: one universal, hash-pinned file a purpose, without any index address.
# Existing pins stay unless --upgrade or --upgrade-package NAME is given.
set -eu
cd "$(dirname -- "$0")/.."
compile() {
    file=$1
    shift
    uv pip compile pyproject.toml "$@" --universal --generate-hashes --python-version 3.11 --quiet \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links -o "requirements/$file" >/dev/null
}
compile all.txt --all-extras --group dev --group build "$@"
# the other files take their pins from this one
compile bench.txt --all-extras --group dev --group build --group bench -c requirements/all.txt "$@"
compile run.txt --all-extras --group build -c requirements/all.txt "$@"
uv pip compile --group pyproject.toml:installer --universal --generate-hashes --python-version 3.11 --quiet \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links -c requirements/all.txt -o requirements/installer.txt >/dev/null
"${PYTHON:-python3}" tools/check_lock.py --write
