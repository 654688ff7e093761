"""A process that does not want to end: says what it was told to say, then ignores SIGTERM."""

import signal
import sys
import threading


def main() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(sys.argv[1], flush=True)  # noqa: T201 - what the test asked for
    threading.Event().wait()


if __name__ == "__main__":
    main()
