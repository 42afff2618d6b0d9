"""Run the backfills of the test's database in a process of its own, to be killed: `run_seal.py URL KEY-FILE`."""

import sys
from pathlib import Path

from pgkeel.core.url import Url
from pgkeel.migrations import backfill
from pgkeel.migrations.backfill import Throttle
from pgkeel.postgres import connect
from pgkeel.security.encryption import change_of
from pgkeel.security.keys import load_ring, provider_from

url, file = sys.argv[1], Path(sys.argv[2])
with connect(Url.parse(url)) as connection:
    ring = load_ring(connection, provider_from(f"file:{file.name}", file.parent))
    print("ready", flush=True)
    backfill.run(connection, resolve=lambda code: change_of(code, ring), throttle=Throttle(batch=50))
