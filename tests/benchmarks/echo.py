"""The yardstick: one Starlette route that parses, validates and answers, and does nothing else.

Run as `python -m tests.benchmarks.echo`; prints its URL and serves until its stdin closes.
"""

import asyncio
import socket
import sys

import uvicorn
from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runcycles.ops import Committed, Reserve
from runcycles.types import Amount

_ASKED = TypeAdapter(Reserve)
_ANSWERED = TypeAdapter(Committed)


async def echo(request: Request) -> Response:
    asked = _ASKED.validate_json(await request.body())
    answer = Committed(charged=Amount(unit=asked.estimate.unit, amount=asked.estimate.amount))
    return Response(
        _ANSWERED.dump_json(answer, exclude_none=True),
        media_type="application/json",
        headers={"X-Request-Id": "0", "X-Cycles-Trace-Id": "0"},
    )


app = Starlette(routes=[Route("/v1/reservations", echo, methods=["POST"])])


async def serve() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else 40 ms a call
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", access_log=False, log_level="warning", lifespan="off"
    )
    server = uvicorn.Server(config)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    serving = asyncio.create_task(server.serve([listener]))
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(serve())
