"""An editor that is never content, and a budget that ends."""

import asyncio

from agents import Agent, Runner, set_tracing_disabled

from runcycles import AsyncCyclesClient, BudgetExceededError, usd
from runcycles.testing import InMemoryAuthority
from runcycles_openai_agents import guard


async def main() -> None:
    """Refine a letter until nothing is left to pay for it."""
    set_tracing_disabled(True)
    authority = InMemoryAuthority(budgets={"tenant:acme": usd("0.001")})
    client = AsyncCyclesClient(authority=authority)
    editor = Agent(name="editor", model="gpt-4o-mini", instructions="Refine this letter.")
    guard(editor, client)

    letter, rounds = "Dear customer, thank you for writing to us.", 0
    try:
        while True:
            letter = (await Runner.run(editor, letter)).final_output
            rounds += 1
    except BudgetExceededError as refusal:
        print(f"{rounds} rounds were paid for, and the next one was refused:")
        print(refusal)


if __name__ == "__main__":
    asyncio.run(main())
