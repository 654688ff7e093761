"""Events and webhooks: the reads that the protocol asks of every server that has them."""

from runcycles_server.conformance.expecting import done, expect, refused
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.stand import Stand

topic = Topic()
check = topic.check


@check("EW-EVENT-001")
async def the_operator_lists_events(stand: Stand) -> None:
    answer = done(await stand.govern("GET", "/v1/admin/events", query={"tenant_id": stand.tenant}))
    for event in answer["events"]:
        for name in ("event_id", "event_type", "category", "timestamp", "tenant_id", "source"):
            expect(bool(event.get(name)), f"an event has no {name}")
        expect(event["tenant_id"] == stand.tenant, "the list has an event of another tenant")


@check("EW-EVENT-002")
async def an_unknown_event_is_404(stand: Stand) -> None:
    answer = await stand.govern("GET", "/v1/admin/events/never-was")
    refused(answer, 404, "EVENT_NOT_FOUND")


@check("EW-EVENT-003")
async def a_tenant_needs_leave_to_list_events(stand: Stand) -> None:
    refused(await stand.get("/v1/events"), 403, "INSUFFICIENT_PERMISSIONS")


@check("EW-WEBHOOK-001")
async def an_unknown_subscription_is_404(stand: Stand) -> None:
    for method, step in (("GET", "deliveries"), ("POST", "replay")):
        body = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}
        answer = await stand.govern(
            method, f"/v1/admin/webhooks/never-was/{step}", body if method == "POST" else None
        )
        refused(answer, 404, "WEBHOOK_NOT_FOUND")
