from collections import Counter

import pytest

from runcycles.actions import ACTION_KINDS, UNMAPPED, kind_of_tool, risk_class_of
from runcycles.types import RiskClass


def test_the_registry_has_as_many_kinds_of_each_class_as_the_protocols() -> None:
    assert Counter(found.risk_class for found in ACTION_KINDS.values()) == {
        RiskClass.READ_ONLY: 12,
        RiskClass.LOCAL_MUTATION: 2,
        RiskClass.SIDE_EFFECT: 23,
        RiskClass.EXTERNAL_SIDE_EFFECT: 19,
        RiskClass.HIGH_RISK: 6,
    }


def test_the_registry_is_in_the_protocols_order() -> None:
    names = list(ACTION_KINDS)
    assert names == [found.kind for found in ACTION_KINDS.values()]
    assert names[:2] == ["llm.completion", "llm.embedding"]
    assert names[-1] == UNMAPPED


def test_every_entry_is_whole_and_within_the_protocols_limits() -> None:
    for found in ACTION_KINDS.values():
        assert len(found.kind) <= 64
        assert 0 < len(found.description or "") <= 512
        assert all(0 < len(prefix) <= 128 for prefix in found.mcp_tool_prefixes)
        assert bool(found.mcp_tool_prefixes) == (found.kind != UNMAPPED)
        assert not found.deprecated
        assert found.replacement_kind is None


def test_a_kind_says_which_policy_keys_it_has() -> None:
    assert ACTION_KINDS["llm.completion"].policy_key_spec is None
    assert ACTION_KINDS["db.query"].policy_key_spec == {"resource_type": "table"}
    assert ACTION_KINDS["storage.upload"].policy_key_spec == {"host": True, "path_prefix": True}
    email = ACTION_KINDS["message.email.send"]
    assert email.policy_key_spec == {"host": True, "recipient_domain": True}
    assert email.mcp_tool_prefixes == ("send_email", "email_", "smtp_", "sendgrid_")


def test_no_prefix_means_two_kinds() -> None:
    prefixes = [prefix for found in ACTION_KINDS.values() for prefix in found.mcp_tool_prefixes]
    assert [prefix for prefix, times in Counter(prefixes).items() if times > 1] == []


def test_the_registry_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        ACTION_KINDS["mine"] = ACTION_KINDS[UNMAPPED]  # type: ignore[index]  # the point of it


@pytest.mark.parametrize(
    ("kind", "risk_class"),
    [
        ("payment.charge", RiskClass.HIGH_RISK),
        ("web.search", RiskClass.READ_ONLY),
        ("email.send", RiskClass.SIDE_EFFECT),
        ("Payment.Charge", RiskClass.SIDE_EFFECT),
    ],
)
def test_a_kind_that_is_not_registered_is_a_side_effect(kind: str, risk_class: RiskClass) -> None:
    assert risk_class_of(kind) is risk_class


@pytest.mark.parametrize(
    ("tool", "kind"),
    [
        ("send_email_to_customer", "message.email.send"),
        ("send_email", "message.email.send"),
        ("chat_with_model", "llm.completion"),
        ("chat_send", "message.chat.post"),
        ("embed_text", "llm.embedding"),
        ("embed_and_store_page", "vector.upsert"),
        ("search", "web.search"),
        ("get_contact_by_name", "crm.record.read"),
        ("Send_Email", UNMAPPED),
        ("my_tool", UNMAPPED),
        ("", UNMAPPED),
    ],
)
def test_a_tools_kind_is_that_of_the_longest_prefix(tool: str, kind: str) -> None:
    assert kind_of_tool(tool) == kind
