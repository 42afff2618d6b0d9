"""Give the application's logins new passwords without end, until it is killed: `run_passwords.py URL PASSFILE`."""

import sys
from datetime import timedelta
from pathlib import Path

from pgkeel.core.url import Url
from pgkeel.postgres import connect
from pgkeel.security.roles.rotation import plan_turn, read_halves, turn
from pgkeel.stack.password import Passfile

file = Passfile(Path(sys.argv[2]))
with connect(Url.parse(sys.argv[1])) as superuser:
    print("ready", flush=True)
    while True:
        planned = plan_turn("app", file.logins, read_halves(superuser, "app"), grace=timedelta(hours=1), is_urgent=True)
        turn(superuser, planned, file)
