"""`python -m runcycles.testing.model_server`: the scripted model as a process of its own.

Prints one line of JSON, `{"base_url": "http://127.0.0.1:40123"}`, once it serves; ends on SIGTERM,
on SIGINT and, if asked to, when its standard input closes.
"""

import argparse
import contextlib
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import cast

from runcycles.testing.model_server import PRICES, Fault, ModelServer, Price, RefineLoop, Script

_EXIT_ENVIRONMENT = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; return the exit code."""
    options = _parser().parse_args(arguments)
    price = PRICES[options.price]
    if options.request_microcents is not None:
        price = Price(per_request=options.request_microcents)
    server = ModelServer(
        options.script,
        price=price,
        period_ms=options.period_ms,
        seed=options.seed,
        faults=options.fault,
        chunk_ms=options.chunk_ms,
        port=options.port,
    )
    try:
        server.start()
    except (OSError, OverflowError) as exc:
        sys.stderr.write(f"cannot listen on port {options.port}: {exc}\n")
        return _EXIT_ENVIRONMENT
    stop = threading.Event()
    _stop_on_signals(stop)
    if options.until_stdin_closes:
        threading.Thread(target=_stop_when_stdin_closes, args=(stop,), daemon=True).start()
    try:
        sys.stdout.write(json.dumps({"base_url": server.base_url}) + "\n")
        sys.stdout.flush()
        stop.wait()
    finally:
        server.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m runcycles.testing.model_server",
        description="Serve a scripted, OpenAI-compatible model on loopback and meter it.",
    )
    add = parser.add_argument
    add(
        "--script",
        type=_script,
        default=RefineLoop(),
        metavar="NAME",
        help="refine-loop (default), or module:attribute of a script of your own",
    )
    add("--port", type=int, default=0, help="0 (default) finds a free one")
    add("--period-ms", type=float, default=0.0, help="least time from answer to answer of a run")
    add("--chunk-ms", type=float, default=0.0, help="pause between two events of a stream")
    add("--seed", type=int, default=4782, help="where random numbers begin (default 4782)")
    add("--price", choices=sorted(PRICES), default="flat", help="price table (default flat)")
    add("--request-microcents", type=int, metavar="N", help="flat price instead of one cent")
    add(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="SPEC",
        help="429@3, 500@every-3, lane:drop@7, delay@*=250, malformed@2, cut@2=5; repeatable",
    )
    add("--until-stdin-closes", action="store_true", help="end with the process that started it")
    return parser


def _fault(spec: str) -> Fault:
    try:
        return Fault.parse(spec)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _script(name: str) -> Script:
    if name == "refine-loop":
        return RefineLoop()
    module, _, attribute = name.partition(":")
    try:
        return cast(Script, getattr(importlib.import_module(module), attribute))
    except (ImportError, AttributeError, ValueError) as exc:
        raise argparse.ArgumentTypeError(f"no script is called {name!r}: {exc}") from exc


def _stop_on_signals(stop: threading.Event) -> None:
    def end(_signum: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)


def _stop_when_stdin_closes(stop: threading.Event) -> None:
    # Read the descriptor itself: a thread waiting inside sys.stdin could not be left at exit.
    with contextlib.suppress(OSError):  # closed from the beginning
        while os.read(0, 4096):
            pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
