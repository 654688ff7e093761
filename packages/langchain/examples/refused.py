"""An editor that is never content, and a budget that ends."""

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI

from runcycles import BudgetExceededError, CyclesClient, usd
from runcycles.testing import InMemoryAuthority
from runcycles_langchain import guard_model


def main() -> None:
    """Refine a letter until nothing is left to pay for it."""
    authority = InMemoryAuthority(budgets={"tenant:acme": usd("0.001")})
    client = CyclesClient(authority=authority)
    model = guard_model(ChatOpenAI(model="gpt-4o-mini"), client)
    editor = create_agent(model, name="editor", system_prompt="Refine this letter.")

    letter, rounds = "Dear customer, thank you for writing to us.", 0
    try:
        while True:
            answer = editor.invoke({"messages": [{"role": "user", "content": letter}]})
            letter = answer["messages"][-1].text
            rounds += 1
    except BudgetExceededError as refusal:
        print(f"{rounds} rounds were paid for, and the next one was refused:")
        print(refusal)


if __name__ == "__main__":
    main()
