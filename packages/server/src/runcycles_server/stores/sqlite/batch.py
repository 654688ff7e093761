"""Group commit: everything that waits is decided in one transaction and synced to disk once.

The decisions of a batch see each other's changes through one overlay; each changed record is
written once, however often it changed. Records of the small, hot kinds stay in the cache between
batches.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from runcycles.errors import StoreError
from runcycles.ledger.state import MAX_NEEDS, Key, Need, Record, Snapshot, Transition
from runcycles_server.stores.base import OnCommit
from runcycles_server.stores.clock import MonotonicClock
from runcycles_server.stores.sqlite.cache import UNKNOWN, Cache
from runcycles_server.stores.sqlite.codecs import BY_KIND, BY_RECORD, Codec
from runcycles_server.stores.sqlite.failures import is_record_fault, leaves_doubt, translated

MAX_CACHED: Final = 20_000
"""Records kept in memory between batches, some 20 MB."""
MAX_LOOKUP: Final = 512
"""Keys in one query, far below SQLite's limit of variables."""


@dataclass(slots=True, eq=False)
class Asked:
    """One transition that waits for its batch; after the batch it has an error or a reply."""

    footprint: tuple[Key, ...]
    transition: Transition[Any]
    future: Any
    reply: Any = None
    error: Exception | None = None

    def resolve(self) -> None:
        """Tell whoever waits, unless they went away meanwhile."""
        if self.future.cancelled():
            return
        if self.error is None:
            self.future.set_result(self.reply)
        else:
            self.future.set_exception(self.error)


class BatchRunner:
    """Runs batches on the one connection that writes."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        clock: MonotonicClock,
        *,
        on_commit: Callable[[int], None] = lambda _records: None,
        on_batch: OnCommit | None = None,
    ) -> None:
        self._connection = connection
        self._path = path
        self._clock = clock
        self._on_commit = on_commit
        self._on_batch = on_batch
        self._cache = Cache(MAX_CACHED)
        self._in_doubt = False
        self._failed = False

    def run(self, batch: Sequence[Asked]) -> None:
        """Decide everything in the batch and keep it, durably; one that raises fails alone."""
        try:
            self._refuse_if_in_doubt()
            self._commit(batch)
            self._failed = False
        except Exception as problem:  # noqa: BLE001 - whatever it is, nobody may get a yes
            self._roll_back(problem)
            if is_record_fault(problem) and len(batch) > 1:
                for asked in batch:
                    self.run([asked])
                return
            self._failed = not is_record_fault(problem)
            for asked in batch:
                asked.error = translated(problem, self._path)
        except BaseException as interruption:
            self._roll_back(interruption)
            raise

    def write(self, work: Callable[[sqlite3.Connection, int], list[Key]]) -> list[Key]:
        """Other work on the database, in a commit of its own; it gets the connection and the time.

        It answers with the keys of what it deleted.

        Raises:
            StoreError: nothing was changed.
        """
        self._refuse_if_in_doubt()
        try:
            now_ms = self._clock.now_ms()
            self._connection.execute("BEGIN IMMEDIATE")
            deleted = work(self._connection, now_ms)
            self._write({}, now_ms)
            self._connection.execute("COMMIT")
        except BaseException as problem:
            self._roll_back(problem)
            self._failed = True
            if isinstance(problem, sqlite3.Error):
                raise translated(problem, self._path) from problem
            raise
        self._failed = False
        self._on_commit(len(deleted))
        self._cache.drop(deleted)
        return deleted

    def doubt(self) -> None:
        """Take no more writes: what the disk holds is unknown."""
        self._in_doubt = True

    def check(self) -> None:
        """Find out whether writes are taken; by trying, if the last one was not.

        Raises:
            StoreError: they are not.
        """
        self._refuse_if_in_doubt()
        if self._failed:
            self.write(lambda _connection, _now_ms: [])

    def get(self, key: Key) -> Any:
        """The record under a key, or None."""
        cached = self._cache.find(key)
        if cached is not UNKNOWN:
            return cached
        found: dict[Key, Any] = {}
        try:
            self._load((key,), found)
        except sqlite3.Error as problem:
            raise translated(problem, self._path) from problem
        return found[key]

    def _commit(self, batch: Sequence[Asked]) -> None:
        began, now_ms = perf_counter(), self._clock.now_ms()
        self._connection.execute("BEGIN IMMEDIATE")
        dirty = self._decide(batch, now_ms)
        if not dirty:
            self._connection.execute("ROLLBACK")  # refusals and replays have nothing to keep
            return
        self._write(dirty, now_ms)
        self._connection.execute("COMMIT")
        self._on_commit(len(dirty))
        if self._on_batch is not None:
            self._on_batch(len(batch), perf_counter() - began)
        cached = {key: record for key, record in dirty.items() if BY_KIND[key[0]].is_cached}
        self._cache.keep(cached)

    def _decide(self, batch: Sequence[Asked], now_ms: int) -> dict[Key, Record]:
        """Run the transitions, in rounds: those that need more wait until it was looked up.

        What they need is mostly in the cache; then they go on at once.
        """
        known: dict[Key, Any] = {}
        dirty: dict[Key, Record] = {}
        snapshot = Snapshot(now_ms, known)
        waiting = batch
        wanted: Iterable[Key] = (key for asked in batch for key in asked.footprint)
        for _ in range(MAX_NEEDS):
            self._load(wanted, known)
            needing: list[Asked] = []
            needed: list[Key] = []
            for asked in waiting:
                try:
                    outcome = asked.transition(snapshot)
                    if isinstance(outcome, Need) and self._recall(outcome.keys, known):
                        outcome = asked.transition(snapshot)
                except Exception as problem:  # noqa: BLE001 - it fails alone, whatever it raised
                    asked.error = problem
                    continue
                if isinstance(outcome, Need):
                    needing.append(asked)
                    needed.extend(outcome.keys)
                    continue
                asked.reply, asked.error = outcome.reply, None
                for record in outcome.changes:
                    key = record.key
                    known[key] = dirty[key] = record
            if not needing:
                return dirty
            waiting, wanted = needing, needed
        for asked in waiting:
            asked.error = AssertionError(f"a transition asked for more records {MAX_NEEDS} times")
        return dirty

    def _recall(self, keys: Iterable[Key], known: dict[Key, Any]) -> bool:
        """Take from the cache what is not known yet; whether that is all of it."""
        cached = {key: self._cache.find(key) for key in keys if key not in known}
        if UNKNOWN in cached.values():
            return False
        known.update(cached)
        return True

    def _load(self, keys: Iterable[Key], known: dict[Key, Any]) -> None:
        """Look up what is not known yet: in the cache, else with one query per kind."""
        missing: dict[str, list[Key]] = defaultdict(list)
        cache = self._cache
        for key in keys:
            if key in known:
                continue
            found = known[key] = cache.find(key)
            if found is UNKNOWN:
                known[key] = None
                missing[key[0]].append(key)
        for kind, absent in missing.items():
            codec = BY_KIND[kind]
            for chunk in _chunks(absent):
                self._look_up(codec, chunk, known)
            if codec.is_cached:
                cache.keep({key: known[key] for key in absent})

    def _look_up(self, codec: Codec[Any], keys: Sequence[Key], known: dict[Key, Any]) -> None:
        words = [word for key in keys for word in key[1:]]
        for row in self._connection.execute(codec.lookup(len(keys)), words):
            known[codec.key_of(row)] = codec.decode(row)

    def _write(self, dirty: dict[Key, Record], now_ms: int) -> None:
        of_type: dict[type, list[Any]] = defaultdict(list)
        for record in dirty.values():
            of_type[type(record)].append(record)
        for record_type, records in of_type.items():
            codec = BY_RECORD[record_type]
            self._connection.executemany(codec.upsert, map(codec.to_row, records))
        self._connection.execute("UPDATE clock SET now_ms = ?", (now_ms,))

    def _roll_back(self, problem: BaseException) -> None:
        """Forget the batch. Where even that fails, nobody knows any more what the disk holds."""
        self._cache.clear()
        self._in_doubt = self._in_doubt or leaves_doubt(problem)
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._in_doubt = True

    def _refuse_if_in_doubt(self) -> None:
        if self._in_doubt:
            raise StoreError(
                f"{self._path} takes no more writes since its disk failed: look at the disk, then "
                "start again"
            )


def _chunks(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    """The keys in pieces whose lengths are powers of two, so that few statements serve them all.

    The last key is repeated to fill its piece; to look it up twice changes nothing.
    """
    for start in range(0, len(keys), MAX_LOOKUP):
        piece = keys[start : start + MAX_LOOKUP]
        padding = (1 << (len(piece) - 1).bit_length()) - len(piece)
        yield [*piece, *[piece[-1]] * padding]
