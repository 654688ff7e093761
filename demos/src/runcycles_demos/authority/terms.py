"""What is agreed before a scene begins, and the names of things."""

from dataclasses import dataclass

from runcycles_demos.authority.engine import CREWAI, LANGCHAIN, OPENAI_AGENTS, PLAIN, Engine

DEFAULT_TIMEOUT_S = 60.0  # for each scene
PERIOD_MS = 300.0  # between two answers of the model, so that a step can be seen
DEFAULT_EMAILS, DEFAULT_QUOTA, MOST_EMAILS = 8, 3, 300

UNGATED = "ungated"
ZERO_BUDGET = "zero-budget"
POLICY_DENY = "policy-deny"
NEXT_EMAIL = "next-email"
NEXT_CRM = "next-crm"
APPROVE_ONCE = "approve-once"
RISK_POINTS = "risk-points"
AUTHORITY_DOWN = "authority-down"
STOP_ALL = "stop-all"
USUAL = (UNGATED, ZERO_BUDGET, POLICY_DENY, NEXT_EMAIL, NEXT_CRM, APPROVE_ONCE)
"""What runs if nothing is said."""
SCENES = (*USUAL, RISK_POINTS, AUTHORITY_DOWN, STOP_ALL)

_EVERY, _FRAMEWORKS = SCENES, (UNGATED, ZERO_BUDGET, POLICY_DENY, NEXT_EMAIL)
SCENES_OF = {
    PLAIN.name: _EVERY,
    LANGCHAIN.name: _EVERY,
    OPENAI_AGENTS.name: _FRAMEWORKS,
    CREWAI.name: _FRAMEWORKS,
}

BOTH = "both"  # the lane of events that belong to no agent: the world's, the operator's
AGENT_LANE, OTHER_LANE = "agent", "agent-2"

# The levels of the subject between the tenant and the agent.
ABOVE_AGENT = {"workspace": "default", "app": "default", "workflow": "default"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Who, how fast and how much."""

    scene: str = ZERO_BUDGET
    engine: Engine = PLAIN
    period_ms: float = PERIOD_MS  # 0: as fast as it goes
    timeout_s: float = DEFAULT_TIMEOUT_S
    fail_open: bool = False
    emails: int = DEFAULT_EMAILS  # customers who wait for one, in the scene next-email
    quota: int = DEFAULT_QUOTA  # e-mails that may be sent in one run

    @property
    def fast(self) -> bool:
        """Whether the model answers at once."""
        return self.period_ms == 0
