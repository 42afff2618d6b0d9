"""Rotate the keys of the test's table in a process of its own: `run_rotate.py URL KEY-FILE BATCH`."""

import sys
from pathlib import Path

from pgkeel.core.url import Url
from pgkeel.postgres import connect
from pgkeel.security.keys import load_ring, provider_from, rotate
from tests.security.sealed_table import FIELDS

url, file, batch = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
with connect(Url.parse(url)) as connection:
    ring = load_ring(connection, provider_from(f"file:{file.name}", file.parent))
    print("ready", flush=True)
    rotate(connection, ring, FIELDS, batch=batch)
    print("done", flush=True)
