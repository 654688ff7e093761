"""What a server counts about itself, for Prometheus to read.

Nothing here names a tenant, a key or a scope. What every request touches is a plain counter of
ours, ten times cheaper than the library's; what is known elsewhere is asked for when it is read.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Final

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from runcycles import wire
from runcycles.ops import Decide, Reserve
from runcycles.types import Unit, Verdict
from runcycles_server.http.exchange import Exchange
from runcycles_server.stores.base import Store
from runcycles_server.sweeper import Sweeper

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
SAMPLED_S: Final = 15.0
"""What is held is summed up at most this often, whoever asks."""
BATCH_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
COMMIT_S: Final = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0)
_DECIDING: Final = frozenset(
    (wire.ENDPOINTS[op].method, wire.ENDPOINTS[op].path) for op in (Reserve, Decide)
)


class Metrics(Collector):
    """The figures of one server; `watch` says where to ask for what is not counted here."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, int | None]] = Counter()
        self._decisions: Counter[tuple[str, str]] = Counter()
        self._held: dict[Unit, int] = {}
        self._sampled_at = -SAMPLED_S
        self._registry = CollectorRegistry()
        self._batches = Histogram(
            "cycles_commit_batch_size",
            "Requests that shared a commit.",
            buckets=BATCH_SIZES,
            registry=self._registry,
        )
        self._commits = Histogram(
            "cycles_commit_seconds",
            "How long a batch took to decide, write and sync.",
            buckets=COMMIT_S,
            registry=self._registry,
        )
        self._registry.register(self)

    def watch(self, store: Store, sweeper: Sweeper, connections: Callable[[], int]) -> None:
        """Ask these from now on."""
        self._store, self._sweeper, self._connections = store, sweeper, connections

    def answered(self, exchange: Exchange) -> None:
        """A request was answered, or its client is gone."""
        method, route = exchange.scope["method"], exchange.template or "none"
        self._requests[method, route, exchange.status] += 1
        if (method, route) in _DECIDING and (exchange.decision or exchange.reason):
            self._decisions[exchange.decision or Verdict.DENY, exchange.reason or "none"] += 1

    def committed(self, requests: int, seconds: float) -> None:
        """A batch of requests was committed."""
        self._batches.observe(requests)
        self._commits.observe(seconds)

    async def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        if monotonic() - self._sampled_at >= SAMPLED_S:
            self._sampled_at = monotonic()
            self._held = await self._store.held()
        return generate_latest(self._registry)

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """What is counted here or asked for now."""
        requests = CounterMetricFamily(
            "cycles_requests", "Answered requests.", labels=("method", "route", "status")
        )
        for (method, route, status), count in self._requests.items():
            requests.add_metric((method, route, str(status or "none")), count)
        yield requests
        decisions = CounterMetricFamily(
            "cycles_decisions", "Fresh answers to a question.", labels=("decision", "reason")
        )
        for (decision, reason), count in self._decisions.items():
            decisions.add_metric((decision, reason), count)
        yield decisions
        held = GaugeMetricFamily(
            "cycles_held_amount",
            "What the outermost budgets hold, at most 15 seconds ago.",
            labels=("unit",),
        )
        for unit, amount in self._held.items():
            held.add_metric((unit,), amount)
        yield held
        waiting = GaugeMetricFamily(
            "cycles_waiting", "Requests that wait for the store.", labels=("queue",)
        )
        for queue, count in self._store.waiting().items():
            waiting.add_metric((queue,), count)
        yield waiting
        yield GaugeMetricFamily(
            "cycles_connections", "Open connections of clients.", self._connections()
        )
        yield GaugeMetricFamily(
            "cycles_sweeper_lag_seconds",
            "Since nothing was overdue that had not been given back.",
            self._sweeper.lag_s,
        )
