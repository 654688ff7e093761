from typing import Any

import pytest
from crewai import LLM
from crewai.llms.base_llm import BaseLLM

from runcycles.adapter_suite import MODEL
from runcycles.pricing import ModelUsage
from runcycles_crewai.limits import drop_limit, hold_limit, own_limit
from runcycles_crewai.usage import request_of, usage_of
from tests.adapters.crewai.engine import scripted
from tests.adapters.crewai.test_capabilities import Silent, look_up

NOBODY = "http://127.0.0.1:9/v1"
SCHEMA = {"name": "look_up", "description": "Look something up, at length."}


def llm(**settings: Any) -> LLM:
    return scripted(NOBODY, **settings)


@pytest.mark.parametrize(
    ("told", "used"),
    [
        (None, None),
        ({}, None),
        ({"total_tokens": 0}, None),
        ({"prompt_tokens": 0, "completion_tokens": 0}, None),
        (
            {"prompt_tokens": 30, "completion_tokens": 20, "cached_prompt_tokens": 10},
            ModelUsage(input_tokens=30, output_tokens=20, cached_tokens=10),
        ),
        (  # what Anthropic writes tells cached tokens apart from the others
            {
                "input_tokens": 5,
                "output_tokens": 7,
                "cache_read_input_tokens": 3,
                "cache_creation_input_tokens": 2,
            },
            ModelUsage(input_tokens=10, output_tokens=7, cached_tokens=3, cache_write_tokens=2),
        ),
        (  # and Gemini has words of its own
            {"prompt_token_count": 4, "candidates_token_count": 6},
            ModelUsage(input_tokens=4, output_tokens=6),
        ),
    ],
    ids=str,
)
def test_every_providers_words_are_understood(told: Any, used: ModelUsage | None) -> None:
    assert usage_of(told) == used


def test_everything_that_is_sent_is_counted() -> None:
    text = "what does it cost?" * 10
    bare = request_of(llm(), text, None).input_tokens
    assert bare >= len(text)
    for tools in ([SCHEMA], [look_up.to_structured_tool()]):
        assert request_of(llm(), text, tools).input_tokens > bare + len("Look something up.")
    told = request_of(llm(), [{"role": "user", "content": "größer" * 50}], None)
    assert told.input_tokens >= len(("größer" * 50).encode())


def test_a_request_names_its_model_and_provider() -> None:
    asked = request_of(llm(), "hello", None)
    assert (asked.model, asked.provider, asked.max_tokens) == (MODEL, "openai", None)


def test_a_limit_and_several_answers_make_the_bound() -> None:
    assert request_of(llm(max_tokens=50, n=3), "hello", None).max_tokens == 150


def test_whichever_limit_an_llm_has_is_the_one_that_is_held() -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        given = llm(**{name: 100})
        hold_limit(given, 70)
        assert (own_limit(given), getattr(given, name)) == (100, 70)
        hold_limit(given, 30)
        assert getattr(given, name) == 30
        drop_limit(given, 30)
        assert getattr(given, name) == 70
        drop_limit(given, 70)
        assert getattr(given, name) == 100


def test_an_llm_of_ones_own_keeps_its_limit_where_all_do() -> None:
    own: BaseLLM = Silent(model=MODEL)
    hold_limit(own, 70)
    assert own.max_tokens == 70
    drop_limit(own, 70)
    assert own.max_tokens is None
