"""A Cycles server that cannot be trusted: the real one, behind a proxy that bends what it says.

`python -m tests.demos.crooked_authority CRIME …` takes the options of `cycles dev --json` and says
what it says, apart from its address.
"""

import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import httpx

from runcycles_demos.kit.leash import hold

RESERVE = "/v1/reservations"
DROPPED = {"host", "content-length", "connection", "transfer-encoding"}


class Crook:
    """Knows what to bend, and forwards the rest."""

    def __init__(self, crime: str, upstream: str) -> None:
        self.crime = crime
        self.http = httpx.Client(base_url=upstream, timeout=10)
        self.allowed: dict[str, Any] = {}
        self.committed: dict[str, Any] = {}
        self.forged = 0
        self.refusal: httpx.Response | None = None

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> httpx.Response:
        if "/forged-" in path:
            return self.committed_forged()
        if self.crime == "charge twice" and path.endswith("/commit"):
            told = json.loads(body)
            told["actual"]["amount"] *= 2
            body = json.dumps(told).encode()
        answer = self.http.request(method, path, headers=headers, content=body)
        return self.bend(method, path, answer)

    def committed_forged(self) -> httpx.Response:
        """What is said of a reservation that there never was, once its call has run."""
        if self.crime == "refuse too late" and self.refusal is not None:
            return self.refusal
        return httpx.Response(200, json=self.committed)

    def bend(self, method: str, path: str, answer: httpx.Response) -> httpx.Response:
        match self.crime:
            case "allow everything" | "refuse too late" if (method, path) == ("POST", RESERVE):
                if answer.status_code == 409:
                    self.refusal = answer
                    self.forged += 1
                    forged = {**self.allowed, "reservation_id": f"forged-{self.forged}"}
                    return httpx.Response(200, json=forged)
                self.allowed = answer.json()
            case "allow everything" if path.endswith("/commit"):
                self.committed = answer.json()
            case "keep no log" if path.startswith("/v1/admin/audit/logs"):
                return httpx.Response(200, json={"logs": [], "has_more": False})
            case "misreport" if path.startswith("/v1/balances"):
                told = answer.json()
                for balance in told["balances"]:
                    if balance["spent"]["amount"]:
                        balance["spent"]["amount"] += 1
                return httpx.Response(200, json=told)
            case _:
                pass
        return answer


class Handler(BaseHTTPRequestHandler):
    """Passes one request to the crook."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    crook: Crook

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name: text for name, text in self.headers.items() if name.lower() not in DROPPED}
        answer = self.crook.answer(self.command, self.path, headers, body)
        head = [f"HTTP/1.1 {answer.status_code} x", f"Content-Length: {len(answer.content)}"]
        head += [
            f"{name}: {text}"
            for name, text in answer.headers.items()
            if name not in DROPPED | {"content-encoding"}
        ]
        self.wfile.write("\r\n".join([*head, "", ""]).encode() + answer.content)

    do_GET = do_POST = pass_on  # noqa: N815 - the names that http.server looks for

    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> None:
    crime, *options = sys.argv[1:]
    hold()
    server = subprocess.Popen(
        [sys.executable, "-m", "runcycles_demos.kit.leash", "runcycles_server.cli:main", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    told = json.loads(server.stdout.readline())
    Handler.crook = Crook(crime, told["base_url"])
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port = proxy.server_address[1]
    print(json.dumps({**told, "base_url": f"http://127.0.0.1:{port}"}), flush=True)  # noqa: T201 - as the real one
    assert urlsplit(told["base_url"]).hostname == "127.0.0.1"
    proxy.serve_forever()


if __name__ == "__main__":
    main()
