"""The support bot in plain Python: one connection to the model, and `@cycles` around three steps.

Where tokens are counted, `@cycles` is around the one function that asks the model, because only
that one knows what goes in and what came out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import httpx

from runcycles.pricing import ModelUsage
from runcycles_demos.runaway.agent import MAX_TOKENS, MODEL, Steps, SupportBot
from runcycles_demos.runaway.guard import Answer, guarded, guarded_by_tokens
from runcycles_demos.runaway.job import Job
from runcycles_demos.runaway.watch import Watch

_ANSWER_S = 30.0


@contextmanager
def bot(job: Job, watch: Watch) -> Iterator[Steps]:
    """Yield the agent's steps."""
    with httpx.Client(base_url=job.model_url, timeout=_ANSWER_S, trust_env=False) as model:
        ask = watch.inside(partial(_ask, model))
        if job.guarded and job.by_tokens:
            ask = guarded_by_tokens(ask, job.prices)
        steps = SupportBot(lambda task, text: ask(task, text).text, remembers=job.by_tokens).steps()
        yield guarded(steps, job.price) if job.guarded and not job.by_tokens else steps


def _ask(model: httpx.Client, task: str, text: str) -> Answer:
    messages = [{"role": "system", "content": task}, {"role": "user", "content": text}]
    question = {"model": MODEL, "messages": messages, "max_tokens": MAX_TOKENS}
    told = model.post("chat/completions", json=question).raise_for_status().json()
    used = ModelUsage(
        input_tokens=told["usage"]["prompt_tokens"],
        output_tokens=told["usage"]["completion_tokens"],
    )
    return Answer(text=str(told["choices"][0]["message"]["content"]), used=used)
