"""What an application does all the time, while something is changed below it."""

import asyncio
import threading
from typing import Any, Self

import asyncpg
import psycopg

from pgkeel.access._drivers.asyncpg_address import connect_arguments
from pgkeel.core.url import Url

__all__ = ["Load", "keywords"]


def keywords(address: Url, **changed: object) -> dict[str, Any]:
    return {**address.keywords(), **changed}


class Load:
    """Statements on open connections and on new ones, as long as the block lasts; what failed is kept."""

    def __init__(self, address: Url) -> None:
        self.address = address
        self.failed: list[str] = []
        self.done = 0
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._pooled), threading.Thread(target=self._anew)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _pooled(self) -> None:
        asyncio.run(self._pool())

    async def _pool(self) -> None:
        connection = await asyncpg.connect(**connect_arguments(self.address, {}))
        while not self._stop.is_set():
            try:
                await connection.fetchval("SELECT 1")
                self.done += 1
            except Exception as err:  # noqa: BLE001 - whatever it is, it is what this looks for
                self.failed.append(repr(err))
        await connection.close()

    def _anew(self) -> None:
        while not self._stop.is_set():
            try:
                psycopg.connect(**keywords(self.address)).close()
                self.done += 1
            except psycopg.Error as err:
                self.failed.append(str(err))
