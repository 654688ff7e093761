"""What Prometheus reads: as its own parser understands it, true, and about nobody by name."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.server.http.conftest import Acme
from tests.server.http.test_readme import PAGE
from tests.support.served import served

Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(params=["memory:", "sqlite"])
def shown(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Acme]:
    """A tenant on a server that shows what it counts."""
    on_disk = f"sqlite:///{tmp_path / 'cycles.db'}"
    with served(on_disk if request.param == "sqlite" else "memory:", metrics=True) as server:
        tenant = server.tenant()
        with server.client_of(tenant) as client:
            yield Acme(tenant, client, server)


def scraped(acme: Acme) -> Figures:
    with acme.server.client() as prometheus:
        answer = prometheus.get("/metrics")
    assert answer.status_code == 200
    assert acme.tenant not in answer.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def figure(figures: Figures, name: str, **labels: str) -> float:
    return figures[name, frozenset(labels.items())]


def test_requests_and_decisions_are_counted_by_what_they_were(shown: Acme) -> None:
    held = shown.held("r1", 100)
    shown.reserve("r2", 10_000)
    shown.client.post("/v1/decide", json=shown.question("d1", 10_000))
    shown.commit(held, 10_000)
    shown.client.get("/nowhere")
    figures = scraped(shown)
    reserves = {"method": "POST", "route": "/v1/reservations"}
    assert figure(figures, "cycles_requests_total", status="200", **reserves) == 1
    assert figure(figures, "cycles_requests_total", status="409", **reserves) == 1
    nowhere = {"method": "GET", "route": "none", "status": "404"}
    assert figure(figures, "cycles_requests_total", **nowhere) == 1
    assert figure(figures, "cycles_decisions_total", decision="ALLOW", reason="none") == 1
    denied = {"decision": "DENY", "reason": "BUDGET_EXCEEDED"}
    assert figure(figures, "cycles_decisions_total", **denied) == 2


def test_what_is_held_counts_once_however_many_budgets_it_stands_in(shown: Acme) -> None:
    tenant = shown.tenant
    with shown.server.admin() as admin:
        for scope in (f"tenant:{tenant}/agent:a", f"tenant:{tenant}/workspace:w"):
            tokens = {"unit": "TOKENS", "amount": 500}
            budget = {"tenant_id": tenant, "scope": scope, "unit": "TOKENS", "allocated": tokens}
            assert admin.post("/v1/admin/budgets", json=budget).status_code == 201
    for key, level in (("r1", "agent"), ("r2", "workspace"), ("r3", "app")):
        asked = {**shown.question(key, 100), "subject": shown.subject(**{level: level[0]})}
        assert shown.client.post("/v1/reservations", json=asked).status_code == 200
    assert figure(scraped(shown), "cycles_held_amount", unit="TOKENS") == 300
    shown.reserve("r4", 50)
    again = scraped(shown)  # so soon, that is still the sum from before
    assert figure(again, "cycles_held_amount", unit="TOKENS") == 300


def test_connections_and_the_sweepers_lag_are_shown(shown: Acme) -> None:
    shown.reserve()
    figures = scraped(shown)
    assert figure(figures, "cycles_connections") >= 2
    assert 0 <= figure(figures, "cycles_sweeper_lag_seconds") < 60


def test_a_store_with_commits_shows_how_many_share_one_and_how_long_it_takes(
    tmp_path: Path,
) -> None:
    with served(f"sqlite:///{tmp_path / 'cycles.db'}", metrics=True) as server:
        tenant = server.tenant()
        with server.client_of(tenant) as client:
            acme = Acme(tenant, client, server)
            before = scraped(acme)
            acme.reserve()
            after = scraped(acme)
    for name in ("cycles_commit_seconds", "cycles_commit_batch_size"):
        assert figure(after, f"{name}_count") > figure(before, f"{name}_count")
        assert figure(after, f"{name}_sum") > figure(before, f"{name}_sum")
    assert figure(after, "cycles_waiting", queue="commit") == 0
    assert figure(after, "cycles_waiting", queue="lists") == 0


def test_the_page_lists_every_figure_with_its_labels(tmp_path: Path) -> None:
    listed = {
        name: set(re.findall(r"`(\w+)`", labels))
        for name, labels in re.findall(r"^\| `(cycles_\w+)` \|([^|]*)\|", PAGE, re.MULTILINE)
    }
    with served(f"sqlite:///{tmp_path / 'cycles.db'}", metrics=True) as server:
        tenant = server.tenant()
        with server.client_of(tenant) as client:
            acme = Acme(tenant, client, server)
            acme.reserve()
            found = scraped(acme)
    shown: dict[str, set[str]] = {}
    for name, labels in found:
        family = re.sub("_(created|sum|count|bucket)$", "", name)
        if f"{family}_total" not in listed:  # the moment from which a counter counts
            shown.setdefault(family, set()).update({label for label, _ in labels} - {"le"})
    assert shown == listed


def test_where_nobody_asked_for_metrics_there_are_none(acme: Acme) -> None:
    answer = acme.client.get("/metrics")
    assert (answer.status_code, answer.json()["error"]) == (404, "NOT_FOUND")
