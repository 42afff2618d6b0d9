"""Erase the people of the test's table one after the other, until it is killed: `run_erase.py URL`."""

import sys

from pgkeel.core.url import Url
from pgkeel.postgres import connect
from pgkeel.schema.field import EncryptedField
from pgkeel.security.keys import erase

FIELDS = [EncryptedField(("people",), name, "id", index, by_subject=True) for name, index in (("email", "email"), ("note", None))]
with connect(Url.parse(sys.argv[1])) as connection:
    rows = connection.execute("SELECT id FROM people ORDER BY id").fetchall()
    print("ready", flush=True)
    for row in rows:
        erase(connection, FIELDS, str(row["id"]))
    print("done", flush=True)
