"""Which policy decides: the index of a thousand policies finds what looking at each one finds."""

from itertools import accumulate, product
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from runcycles.ledger.policies import Policy, PolicyBook
from runcycles.scopes import LEVELS
from runcycles_server.governance.scopes import canonical_pattern

NOW_MS = 1_000
IDS = ("a", "b")
TENANT = "tenant:acme"


def covers(pattern: str, scope: str) -> bool:
    """The three forms of a pattern, read off the protocol, on a scope and nothing else."""
    if pattern.endswith("/*"):
        return scope.startswith(pattern[:-1])
    if pattern.endswith(":*"):
        return scope.startswith(pattern[:-1]) and "/" not in scope[len(pattern) - 1 :]
    return pattern == scope


def decides(policies: list[Policy], scopes: tuple[str, ...]) -> tuple[str, str] | None:
    """The policy that decides and the scope it matched, found by looking at each of them."""
    found = [
        (policy.priority, depth, _exactness(policy), -policy.created_at_ms, policy, scope)
        for policy in policies
        for depth, scope in enumerate(scopes)
        if policy.is_active
        and (policy.effective_from_ms or 0) <= NOW_MS
        and (policy.effective_until_ms or NOW_MS + 1) > NOW_MS
        and covers(policy.scope_pattern, scope)
    ]
    if not found:
        return None
    best = max(each[:4] for each in found)
    ids = {each[4].policy_id: each[5] for each in found if each[:4] == best}
    return min(ids.items())


def _exactness(policy: Policy) -> tuple[int, int]:
    """An exact path beats `level:*`, and that beats `/*`; of two of these the longer one."""
    pattern = policy.scope_pattern
    if pattern.endswith("/*"):
        return (0, len(pattern.split("/")))
    return (1 if pattern.endswith(":*") else 2, 0)


def _wider(path: str) -> list[str]:
    """The patterns that can be made of a path."""
    head, _, last = path.rpartition("/")
    level = last.partition(":")[0]
    wider = [f"{head}/{level}:*"] if head else []
    return [path, *wider, *([] if level == LEVELS[-1] else [f"{path}/*"])]


PATHS = [
    "/".join([TENANT, *(f"{level}:{value}" for level, value in levels if value)])
    for values in product(("", *IDS), repeat=len(LEVELS) - 1)
    for levels in [tuple(zip(LEVELS[1:], values, strict=True))]
]
PATTERNS = list(dict.fromkeys(pattern for path in PATHS for pattern in _wider(path)))
SINCE = (None, NOW_MS, NOW_MS + 1)


def policy(number: int, rng: Random) -> Policy:
    return Policy(
        policy_id=f"pol_{rng.random()}",
        name=f"{number}",
        scope_pattern=rng.choice(PATTERNS),
        priority=rng.randrange(4),
        created_at_ms=rng.randrange(4),
        is_active=rng.random() < 0.8,
        effective_from_ms=rng.choice(SINCE),
        effective_until_ms=rng.choice(SINCE),
    )


def found(policies: list[Policy], scopes: tuple[str, ...]) -> tuple[str, str] | None:
    """The policy that decides and the scope it matched, found by the index."""
    match = PolicyBook(tenant="acme", policies=tuple(policies)).match(scopes, NOW_MS)
    return None if match is None else (match.policy.policy_id, match.scope)


def agree(policies: list[Policy], path: str) -> None:
    scopes = tuple(accumulate(path.split("/"), "{}/{}".format))
    assert found(policies, scopes) == decides(policies, scopes)


@given(st.randoms(use_true_random=False), st.integers(0, 30), st.sampled_from(PATHS))
def test_the_index_finds_what_looking_at_each_policy_finds(
    rng: Random, count: int, path: str
) -> None:
    agree([policy(number, rng) for number in range(count)], path)


@settings(max_examples=30)
@given(st.integers(), st.sampled_from(PATHS))
def test_among_a_thousand_policies_the_right_one_decides(seed: int, path: str) -> None:
    rng = Random(seed)
    agree([policy(number, rng) for number in range(1_000)], path)


def test_every_pattern_here_is_one_that_may_be_written() -> None:
    assert [canonical_pattern(pattern) for pattern in PATTERNS] == PATTERNS


def test_the_naive_matcher_can_disagree() -> None:
    low = Policy(policy_id="low", name="low", scope_pattern=TENANT, created_at_ms=0)
    high = Policy(policy_id="high", name="high", scope_pattern=TENANT, created_at_ms=0, priority=1)
    assert decides([low, high], (TENANT,)) == found([low, high], (TENANT,)) == ("high", TENANT)
    assert decides([low, high], (TENANT,)) != found([low], (TENANT,)) == ("low", TENANT)
    assert decides([high], ("tenant:other",)) is None
