"""The support agent: its instructions, and five tools whose work can be seen from outside.

Every engine runs these tools; they know nothing of budgets.
"""

import smtplib
from collections.abc import Callable
from email.message import EmailMessage

import httpx

from runcycles_demos.kit.stack import LOOPBACK

AGENT = "support-agent"
MODEL = "scripted-model"
MAX_TOKENS = 400  # the longest answer asked for
INSTRUCTIONS = (
    "You work on support cases with the tools you have. If a tool did not run, do not look for "
    "another way: escalate to a human, and say so."
)
_SENDER = "support@vendor.example"
_TIMEOUT_S = 10.0

Tool = Callable[..., str]


class Desk:
    """Where the agent's tools reach the world."""

    def __init__(self, *, crm_url: str, smtp_port: int) -> None:
        self._crm = httpx.Client(base_url=crm_url, timeout=_TIMEOUT_S, trust_env=False)
        self._smtp_port = smtp_port

    def close(self) -> None:
        """Close the connection to the CRM."""
        self._crm.close()

    def tools(self) -> tuple[Tool, ...]:
        """Return the five tools as plain functions, as frameworks want them."""

        def read_case(case_id: str) -> str:
            """Read a case of the CRM."""
            return self._crm.get(f"/cases/{case_id}").raise_for_status().text

        def append_internal_note(case_id: str, text: str) -> str:
            """Append a note that only colleagues read."""
            self._crm.post(f"/cases/{case_id}/notes", json={"text": text}).raise_for_status()
            return "The note is appended."

        def update_crm_status(case_id: str, status: str) -> str:
            """Change the status of a case."""
            self._crm.put(f"/cases/{case_id}/status", json={"text": status}).raise_for_status()
            return f"Case {case_id} is {status} now."

        def send_customer_email(to: str, subject: str, body: str) -> str:
            """Send an e-mail to a customer."""
            message = EmailMessage()
            message["From"], message["To"], message["Subject"] = _SENDER, to, subject
            message.set_content(body)
            with smtplib.SMTP(LOOPBACK, self._smtp_port, "localhost", _TIMEOUT_S) as mailbox:
                mailbox.send_message(message)
            return f"The e-mail to {to} is sent."

        def escalate_to_human(case_id: str, reason: str) -> str:
            """Put a case into the queue of what a human has to look at."""
            self._crm.post(f"/cases/{case_id}/reviews", json={"text": reason}).raise_for_status()
            return "A human will look at it."

        return (
            read_case,
            append_internal_note,
            update_crm_status,
            send_customer_email,
            escalate_to_human,
        )
