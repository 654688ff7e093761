"""What each tool is to the authority: a kind of the protocol's registry, a toolset, a price."""

from runcycles import Amount, Unit
from runcycles.tool_actions import ToolAction
from runcycles.types import MICROCENTS_PER_USD

CENT = MICROCENTS_PER_USD // 100

READ = "read_case"
NOTE = "append_internal_note"
STATUS = "update_crm_status"
EMAIL = "send_customer_email"
ESCALATE = "escalate_to_human"

_KINDS = {
    READ: ("crm.record.read", "crm-read"),
    NOTE: ("crm.record.write", "internal-notes"),
    STATUS: ("crm.record.write", "crm-updates"),
    EMAIL: ("message.email.send", "send-email"),
    ESCALATE: ("agent.human_escalation", "internal-notes"),
}
TOOLS = tuple(_KINDS)

DOLLARS, POINTS = "dollars", "points"
_PRICES = {
    DOLLARS: (Unit.USD_MICROCENTS, dict.fromkeys(TOOLS, CENT) | {READ: 0}),
    POINTS: (Unit.RISK_POINTS, {READ: 0, NOTE: 1, STATUS: 5, EMAIL: 40, ESCALATE: 1}),
}


def actions(prices: str = DOLLARS) -> dict[str, ToolAction]:
    """Return the action of each tool, at a cent each or in points of risk."""
    unit, price = _PRICES[prices]
    return {
        name: ToolAction(kind=kind, toolset=toolset, estimate=Amount(unit=unit, amount=price[name]))
        for name, (kind, toolset) in _KINDS.items()
    }
