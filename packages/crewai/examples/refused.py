"""An editor that is never content, and a budget that ends."""

from crewai import Agent, Crew, Task

from runcycles import BudgetExceededError, CyclesClient, usd
from runcycles.testing import InMemoryAuthority
from runcycles_crewai import cycles_crew


def main() -> None:
    """Refine a letter until nothing is left to pay for it."""
    authority = InMemoryAuthority(budgets={"tenant:acme": usd("0.001")})
    client = CyclesClient(authority=authority)
    editor = Agent(role="editor", goal="Refine letters.", backstory="", llm="gpt-4o-mini")

    letter, rounds = "Dear customer, thank you for writing to us.", 0
    try:
        with cycles_crew(client):
            while True:
                task = Task(
                    description=f"Refine: {letter}", expected_output="a letter", agent=editor
                )
                letter = str(Crew(agents=[editor], tasks=[task]).kickoff())
                rounds += 1
    except BudgetExceededError as refusal:
        print(f"{rounds} rounds were paid for, and the next one was refused:")
        print(refusal)


if __name__ == "__main__":
    main()
