"""The gate at which the model waits for the operator."""

import threading

from runcycles_demos.authority.gate import Gate


def waiting(gate: Gate, done: list[str]) -> threading.Thread:
    thread = threading.Thread(target=gate.wait, args=(lambda: done.append("acted"),))
    thread.start()
    return thread


def test_whoever_waits_goes_on_once_it_is_done() -> None:
    gate, done = Gate(), list[str]()
    thread = waiting(gate, done)
    while thread.is_alive():
        gate.serve()
    thread.join(timeout=5)
    assert done == ["acted"]


def test_when_the_gate_is_closed_everybody_goes_on_and_nothing_is_done() -> None:
    gate, done = Gate(), list[str]()
    early = waiting(gate, done)
    gate.close()
    late = waiting(gate, done)
    for thread in (early, late):
        thread.join(timeout=5)
        assert not thread.is_alive()
    assert done == []
