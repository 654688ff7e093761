"""A scene while it runs: agents that work, a world in which they do, an operator, and the clock.

Everything that is learnt goes into the timeline. The model's answers wait here where the operator
has to act first.
"""

import json
import queue
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from runcycles import Amount
from runcycles.testing.model_server import ModelRequest, ModelServer, Reply
from runcycles_demos.authority.actions import DOLLARS
from runcycles_demos.authority.agent import AGENT
from runcycles_demos.authority.gate import Act, Gate
from runcycles_demos.authority.ledger import LedgerWitness
from runcycles_demos.authority.operator import Operator
from runcycles_demos.authority.script import Plan, Step
from runcycles_demos.authority.terms import ABOVE_AGENT, AGENT_LANE, BOTH, Terms
from runcycles_demos.authority.world.world import World
from runcycles_demos.kit.processes import Child
from runcycles_demos.kit.renderers import Renderer
from runcycles_demos.kit.stack import Authority, RunningStack, authority_of
from runcycles_demos.kit.timeline import Timeline

_New = tuple[float, str, str, dict[str, Any]]  # when, in which lane, what, and the facts
Asked = queue.SimpleQueue[_New]

_TICK_S = 0.02
_LEDGER_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """A tenant of a server, and what can be read of it."""

    authority: Authority
    ledger: LedgerWitness


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What an agent is told to do, and whom it has to ask; without books it asks nobody."""

    task: str
    steps: Sequence[Step]
    run_id: str
    books: Books | None
    agent: str = AGENT_LANE
    prices: str = DOLLARS
    workflow: str = ABOVE_AGENT["workflow"]
    before: Mapping[int, Act] = field(default_factory=dict)
    """What the operator does before the model gives its answer with this number, counted from 1."""


@dataclass(slots=True, kw_only=True)
class Stage:
    """Where one scene is played."""

    terms: Terms
    timeline: Timeline
    screen: Renderer
    stack: RunningStack
    lanes: Mapping[str, Child]
    operator: Operator
    world: World
    exits: ExitStack
    began: float = field(default_factory=time.monotonic)
    books: list[Books] = field(default_factory=list)
    first_questions: list[str] = field(default_factory=list)
    phase: int = 0
    has_quotas: bool = False
    _effects: int = 0
    _ledger_due: float = 0.0

    def now(self) -> float:
        """Return the seconds since the scene began."""
        return time.monotonic() - self.began

    def permitted(self, lane: str, tool: str, *, phase: int) -> int:
        """Return how often an agent was permitted to use a tool in one phase."""
        return sum(
            event["allowed"] and event["tool"] == tool and event["phase"] == phase
            for event in self.timeline.of(lane, "asked")
        )

    def open_books(self, tenant: str, operator: Operator | None = None) -> Books:
        """Make a tenant."""
        authority = (operator or self.operator).tenant(tenant)
        return self.read_books(authority)

    def read_books(self, authority: Authority) -> Books:
        """Read the books of a tenant that there is."""
        ledger = LedgerWitness(authority)
        self.exits.callback(ledger.close)
        self.books.append(Books(authority=authority, ledger=ledger))
        return self.books[-1]

    def fund(self, books: Books, scope: str, amount: Amount, reason: str) -> None:
        """The operator adds to a budget."""
        answer = self.operator.fund(books.authority.tenant, scope, amount, reason)
        self._acted("fund", scope, reason, answer)

    def freeze(self, scope: str, reason: str) -> None:
        """The operator freezes a budget."""
        self._acted("freeze", scope, reason, self.operator.freeze(scope, reason))

    def unfreeze(self, scope: str, reason: str) -> None:
        """The operator lets a frozen budget be used again."""
        self._acted("unfreeze", scope, reason, self.operator.unfreeze(scope, reason))

    def stop(self, target: str, reason: str) -> str:
        """The operator stops everybody whom the target covers; return the id of the stop."""
        answer = self.operator.stop(target, reason)
        self._acted("stop", target, reason, answer)
        return str(answer.json()["stop_id"])

    def lift(self, stop_id: str, target: str, reason: str) -> None:
        """The operator lifts a stop of this target that was made for this reason."""
        self._acted("lift", target, reason, self.operator.lift(stop_id))

    def _acted(self, action: str, target: str, reason: str, answer: httpx.Response) -> None:
        """Take down what the operator has done, at the moment at which the answer is there."""
        told = {"action": action, "target": target, "reason": reason}
        request_id = answer.headers.get("X-Request-Id")
        self.timeline.add(self.now(), BOTH, "operator_action", **told, request_id=request_id)

    def start_server(self, name: str) -> Authority:
        """Start a server for this scene alone; on the same books, if there was one of that name."""
        return authority_of(self.stack.ready(self.stack.start_authority(name)))

    def operate(self, server: Authority) -> Operator:
        """Return the operator of a server of this scene."""
        operator = Operator(server)
        self.exits.callback(operator.close)
        return operator

    def stop_server(self, name: str) -> None:
        """End a server of this scene."""
        self.stack.end(name)
        self.timeline.add(self.now(), BOTH, "server_stopped")

    def restart_server(self, name: str, books: Books) -> None:
        """Start a server again that was stopped, and read the books that it has kept."""
        server = self.start_server(name)
        kept = books.authority
        self.read_books(replace(server, tenant=kept.tenant, api_key=kept.api_key))

    def work(self, *errands: Errand, meanwhile: Callable[[], None] | None = None) -> None:
        """Let agents work, all at once, until each has ended; that is one phase of the scene.

        Raises:
            StackError: a process died, or it took too long.
            StoppedError: somebody asked to stop.
        """
        self.phase += 1
        gate, asked = Gate(), Asked()
        with ExitStack() as models:
            running = {errand.agent: errand for errand in errands}
            servers = [self._start(errand, gate, asked, models) for errand in errands]
            models.callback(gate.close)
            while running:
                tick = time.monotonic()
                for lane in self._follow(list(running), asked):
                    del running[lane]
                gate.serve()
                if meanwhile is not None:
                    meanwhile()
                if time.monotonic() >= self._ledger_due:
                    self.read_ledgers()
                self.screen.update(self.timeline)
                self.stack.check()
                time.sleep(max(0.0, tick + _TICK_S - time.monotonic()))
            self.first_questions += [server.meter(AGENT_LANE).bodies[0] for server in servers]

    def _start(
        self,
        errand: Errand,
        gate: Gate,
        asked: Asked,
        models: ExitStack,
    ) -> ModelServer:
        plan = Plan(errand.steps)

        def script(request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
            if call in errand.before:
                gate.wait(errand.before[call])
            reply = plan(request, call, rng)
            wants = [{"tool": tool.name, **_words(tool.arguments)} for tool in reply.tool_calls]
            facts = {"told": request.last.text, "wants": wants, "run_id": errand.run_id}
            asked.put((self.now(), errand.agent, "model_asked", facts))
            return reply

        server = models.enter_context(ModelServer(script, period_ms=self.terms.period_ms))
        self.timeline.add(self.now(), errand.agent, "run_started", run_id=errand.run_id)
        self.lanes[errand.agent].say(json.dumps(self._order(errand, server)))
        return server

    def _order(self, errand: Errand, server: ModelServer) -> dict[str, Any]:
        client = None
        if errand.books is not None:
            authority = errand.books.authority
            levels = {**ABOVE_AGENT, "workflow": errand.workflow, "agent": AGENT}
            client = {
                "base_url": authority.base_url,
                "api_key": authority.api_key,
                "tenant": authority.tenant,
                **levels,
            }
        return {
            "task": errand.task,
            "run_id": errand.run_id,
            "model_url": server.url(AGENT_LANE),
            "crm_url": self.world.crm_url,
            "smtp_port": self.world.smtp_port,
            "client": client,
            "prices": errand.prices,
            "on_authority_down": "run_and_record" if self.terms.fail_open else "stop",
        }

    def _follow(self, lanes: Sequence[str], asked: Asked) -> list[str]:
        """Take down what is new, in the order of time; return the lanes whose runs have ended."""
        heard = [(lane, line) for lane in lanes for line in self.lanes[lane].heard()]
        new: list[_New] = []
        while not asked.empty():  # what the model was asked, came before what is heard by now
            new.append(asked.get())
        for lane, line in heard:
            told = json.loads(line)
            kind, t = told.pop("kind"), told.pop("t")
            new.append((t - self.began, lane, kind, told))
        effects = self.world.effects.since(self._effects)
        self._effects += len(effects)
        for effect in effects:
            told = {"effect": effect.kind, "case": effect.case, "text": effect.text}
            new.append((effect.at - self.began, BOTH, "effect", told))
        for t, lane, kind, told in sorted(new, key=lambda one: one[0]):
            self.timeline.add(t, lane, kind, phase=self.phase, **told)
        over = [lane for _, lane, kind, _ in new if kind == "run_ended"]
        for lane in lanes:
            if lane not in over and self.lanes[lane].ended and not heard:
                raise self.lanes[lane].trouble("ended in the middle of its work")
        return over

    def read_ledgers(self) -> None:
        """Take down what the ledgers say now."""
        self._ledger_due = time.monotonic() + _LEDGER_S
        for books in self.books:
            scopes = {
                found.scope: [found.spent, found.allocated, found.unit]
                for found in books.ledger.scopes()
            }
            self.timeline.add(self.now(), BOTH, "ledger_read", scopes=scopes)
            if self.has_quotas:
                counters = self.operator.counters(books.authority.tenant)
                self.timeline.add(self.now(), BOTH, "counters_read", counters=counters)


def _words(arguments: Mapping[str, object] | str) -> dict[str, str]:
    return (
        {} if isinstance(arguments, str) else {name: str(text) for name, text in arguments.items()}
    )
