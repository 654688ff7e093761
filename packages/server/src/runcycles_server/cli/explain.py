"""`cycles explain`: why something was allowed or denied."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from runcycles.types import SignedAmount, Unit
from runcycles_server.cli.output import Json, show_json
from runcycles_server.cli.remote import Remote
from runcycles_server.cli.words import amount_words

_SIGNS: Final = {
    "pass": Text("✓", style="green"),
    "fail": Text("✗", style="bold red"),
    "not_reached": Text("·", style="dim"),
}


def explain(
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Of a reservation, a request, a trace, or an idempotency key."
        ),
    ],
    *,
    as_json: Json = False,
) -> None:
    """Show a decision step by step, with the values of that moment, and what would allow it now.

    [bold]Example[/bold]

      cycles explain 0199d3f0…
    """
    found = Remote.from_env().get("/v1/x-runcycles/explain", id=wanted)
    if as_json:
        show_json(found)
        return
    console = Console(highlight=False)
    for number, decision in enumerate(found["decisions"]):
        if number:
            console.print()
        _show(console, decision)


def _show(console: Console, decision: Mapping[str, Any]) -> None:
    """One decision: what was asked, its steps, and how it would end now."""
    action, estimate = decision["action"], decision["estimate"]
    amount = amount_words(SignedAmount(unit=Unit(estimate["unit"]), amount=estimate["amount"]))
    console.print(_verdict(decision), Text(_when(decision), style="dim"))
    console.print(Text(f"{decision['asked']}: {action['kind']} {action['name']} for {amount}"))
    steps = Table(box=None, pad_edge=False, show_header=False)
    for step in decision["steps"]:
        style = "dim" if step["outcome"] == "not_reached" else ""
        steps.add_row(
            _SIGNS[step["outcome"]],
            Text(step["name"], style=style),
            Text(step["sentence"], style=style),
        )
    console.print(steps)
    now = decision["now"]
    console.print("now:", _verdict(now))
    for name, said in (("because", "message"), ("to allow it", "what_would_allow_it")):
        if said in now:
            console.print(Text(f"  {name}: {now[said]}"))


def _verdict(decision: Mapping[str, Any]) -> Text:
    """The decision in its colour, with its reason."""
    said = str(decision["decision"])
    text = Text(said, style="bold red" if said == "DENY" else "bold green")
    if reason := decision.get("reason_code"):
        text.append(f" {reason}")
    return text


def _when(decision: Mapping[str, Any]) -> str:
    """When it was decided, and how often again in the same second."""
    again = f", and {decision['repeats']} times more" if decision["repeats"] else ""
    seen = " (only observed)" if decision["observed"] else ""
    return f"{decision['decided_at']}{again}{seen}"
