"""A small CRM over HTTP: cases with a status, notes, and a queue of what a human has to look at.

    GET  /cases/{case}            the case, its status and its notes
    POST /cases/{case}/notes      {"text": …}
    PUT  /cases/{case}/status     {"text": …}
    POST /cases/{case}/reviews    {"text": …}

Its rows are in SQLite; each one that changes is an effect.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from runcycles_demos.authority.world.effects import NOTE, REVIEW, STATUS, Effects
from runcycles_demos.kit.stack import LOOPBACK

OPEN = "Open"
_BODY_BYTES = 64 * 1024
_TABLES = """
    CREATE TABLE cases (
        id TEXT PRIMARY KEY, customer TEXT, contact TEXT, email TEXT, problem TEXT, status TEXT
    ) STRICT;
    CREATE TABLE notes (case_id TEXT REFERENCES cases, text TEXT) STRICT;
    CREATE TABLE reviews (case_id TEXT REFERENCES cases, text TEXT) STRICT;
"""
_EFFECTS = {"notes": NOTE, "status": STATUS, "reviews": REVIEW}
_WRITES = {
    "notes": "INSERT INTO notes (case_id, text) VALUES (:case, :text)",
    "status": "UPDATE cases SET status = :text WHERE id = :case",
    "reviews": "INSERT INTO reviews (case_id, text) VALUES (:case, :text)",
}
_CHANGED = """
    SELECT
        (SELECT count(*) FROM notes),
        (SELECT count(*) FROM cases WHERE status != ?),
        (SELECT count(*) FROM reviews)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A customer with a problem."""

    id: str
    customer: str
    contact: str
    email: str
    problem: str
    status: str = OPEN


class Rows:
    """The tables, one thread at a time."""

    def __init__(self, cases: Iterable[Case], effects: Effects) -> None:
        self._effects = effects
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.executescript(_TABLES)
        columns = "(:id, :customer, :contact, :email, :problem, :status)"
        self._db.executemany(f"INSERT INTO cases VALUES {columns}", map(asdict, cases))  # noqa: S608 - a constant

    def close(self) -> None:
        """Forget everything."""
        self._db.close()

    def case(self, case: str) -> dict[str, Any] | None:
        """Return a case with its notes."""
        with self._lock:
            cursor = self._db.execute("SELECT * FROM cases WHERE id = ?", (case,))
            names = [column[0] for column in cursor.description]
            row = cursor.fetchone()
            notes = self._db.execute("SELECT text FROM notes WHERE case_id = ?", (case,)).fetchall()
        return None if row is None else {**dict(zip(names, row, strict=True)), "notes": len(notes)}

    def write(self, case: str, table: str, text: str) -> None:
        """Change one row; the effect is noted once it is changed."""
        with self._lock:
            self._db.execute(_WRITES[table], {"case": case, "text": text})
            self._effects.add(_EFFECTS[table], case, text)

    def changed(self) -> tuple[int, int, int]:
        """Return how many notes there are, cases of another status than at first, and reviews."""
        with self._lock:
            return tuple(self._db.execute(_CHANGED, (OPEN,)).fetchone())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rows: ClassVar[Rows]

    def do_GET(self) -> None:
        _, case, table = self._place()
        found = self.rows.case(case) if not table else None
        self._answer(HTTPStatus.NOT_FOUND if found is None else HTTPStatus.OK, found)

    def _write(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        kind, case, table = self._place()
        text = _text(self.rfile.read(min(size, _BODY_BYTES)))
        if kind != "cases" or table not in _WRITES or self.rows.case(case) is None:
            self._answer(HTTPStatus.NOT_FOUND, None)
        elif text is None:
            self._answer(HTTPStatus.BAD_REQUEST, None)
        else:
            self.rows.write(case, table, text)
            self._answer(HTTPStatus.OK, {"case": case, table: text})

    do_POST = do_PUT = _write  # noqa: N815 - the names that http.server looks for

    def _place(self) -> tuple[str, str, str]:
        kind, case, table, *_ = [*self.path.strip("/").split("/"), "", "", ""]
        return kind, case, table

    def _answer(self, status: int, document: dict[str, Any] | None) -> None:
        body = json.dumps(document or {"error": HTTPStatus(status).phrase}).encode()
        head = f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\n"
        # in one write: two small ones would wait for each other
        self.wfile.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing; the rows tell."""


def _text(body: bytes) -> str | None:
    try:
        text = json.loads(body)["text"]
    except (ValueError, KeyError, TypeError):
        return None
    return text if isinstance(text, str) else None


class Crm:
    """The service on a port of its own, in a thread."""

    def __init__(self, rows: Rows) -> None:
        handler = type("Handler", (_Handler,), {"rows": rows})
        self._server = ThreadingHTTPServer((LOOPBACK, 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def open(self) -> str:
        """Serve; return the address."""
        self._thread.start()
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
