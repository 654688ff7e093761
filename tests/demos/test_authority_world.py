"""The mailbox and the CRM as anybody could use them, and misuse them."""

import smtplib
import socket
from collections.abc import Iterator
from contextlib import closing
from email.message import EmailMessage

import httpx
import pytest

from runcycles_demos.authority.agent import Desk
from runcycles_demos.authority.world.crm import Case
from runcycles_demos.authority.world.effects import EMAIL, NOTE, REVIEW, STATUS
from runcycles_demos.authority.world.world import World

CASE = Case(
    id="1", customer="Acme", contact="Jane Lee", email="jane@acme.example", problem="a bill"
)


@pytest.fixture
def world() -> Iterator[World]:
    with World([CASE]) as opened:
        yield opened


def happened(world: World) -> list[tuple[str, str, str]]:
    return [(effect.kind, effect.case, effect.text) for effect in world.effects.since(0)]


def test_each_tool_of_the_agent_is_seen_from_outside(world: World) -> None:
    with closing(Desk(crm_url=world.crm_url, smtp_port=world.smtp_port)) as desk:
        read, note, status, send, escalate = desk.tools()
        assert "a bill" in read("1")
        note("1", "looked at")
        status("1", "Investigating")
        send("jane@acme.example", "Your case", "line\n.dot\n")
        escalate("1", "please look")
    assert happened(world) == [
        (NOTE, "1", "looked at"),
        (STATUS, "1", "Investigating"),
        (EMAIL, "jane@acme.example", "Your case"),
        (REVIEW, "1", "please look"),
    ]
    assert world.rows.changed() == (1, 1, 1)


def test_every_recipient_has_received_an_email(world: World) -> None:
    message = EmailMessage()
    message["Subject"] = "Ünïcode"
    message["To"] = "a@acme.example, b@acme.example"
    message["From"] = "us@vendor.example"
    message.set_content("hello")
    with smtplib.SMTP("127.0.0.1", world.smtp_port, "localhost", 10) as mailbox:
        mailbox.send_message(message)
        mailbox.send_message(message)
    received = [(EMAIL, each, "Ünïcode") for each in ("a@acme.example", "b@acme.example")]
    assert happened(world) == received * 2


def test_who_does_not_speak_smtp_sends_nothing(world: World) -> None:
    with socket.create_connection(("127.0.0.1", world.smtp_port), 10) as talk:
        lines = talk.makefile("rwb", buffering=0)
        assert lines.readline().startswith(b"220")
        for said, answer in [
            (b"GET / HTTP/1.1", b"502"),
            (b"DATA", b"503"),
            (b"MAIL FROM:<a@b>", b"250"),
            (b"RCPT TO:<c@d>", b"250"),
            (b"RSET", b"250"),
            (b"DATA", b"503"),
        ]:
            lines.write(said + b"\r\n")
            assert lines.readline().startswith(answer)
    assert happened(world) == []


def test_a_message_that_is_broken_off_has_not_arrived(world: World) -> None:
    with socket.create_connection(("127.0.0.1", world.smtp_port), 10) as talk:
        lines = talk.makefile("rwb", buffering=0)
        for said in (b"EHLO x", b"MAIL FROM:<a@b>", b"RCPT TO:<c@d>", b"DATA"):
            lines.readline()
            lines.write(said + b"\r\n")
        lines.readline()
        lines.write(b"Subject: half\r\n\r\nof it")
        talk.shutdown(socket.SHUT_WR)
        assert lines.readline().startswith(b"552") or lines.readline() == b""
    assert happened(world) == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/cases/2", None, 404),
        ("GET", "/cases/1/notes", None, 404),
        ("POST", "/cases/2/notes", {"text": "x"}, 404),
        ("POST", "/cases/1/wishes", {"text": "x"}, 404),
        ("POST", "/cases/1/notes", {"words": "x"}, 400),
        ("POST", "/cases/1/notes", {"text": 1}, 400),
        ("POST", "/cases/1/notes", ["text"], 400),
    ],
)
def test_what_the_crm_does_not_understand_changes_nothing(
    method: str, path: str, body: object, status: int, world: World
) -> None:
    answer = httpx.request(method, world.crm_url + path, json=body, trust_env=False)
    assert answer.status_code == status
    assert happened(world) == []
