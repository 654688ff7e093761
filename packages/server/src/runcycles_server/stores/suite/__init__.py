"""What every store must pass: the promises of `stores.base`, each as one check.

A check is an async function that takes a `Bench` and raises AssertionError where the promise is
broken. Run each of `CHECKS` on a bench of its own, whose store is open and empty.
"""

from runcycles_server.stores.suite.bench import Bench, Check, Clock
from runcycles_server.stores.suite.decisions import CHECKS as DECISIONS
from runcycles_server.stores.suite.keeping import CHECKS as KEEPING
from runcycles_server.stores.suite.lists import CHECKS as LISTS
from runcycles_server.stores.suite.operator_lists import CHECKS as OPERATOR_LISTS

CHECKS: tuple[Check, ...] = (*DECISIONS, *KEEPING, *LISTS, *OPERATOR_LISTS)

__all__ = ["Bench", "CHECKS", "Check", "Clock"]
