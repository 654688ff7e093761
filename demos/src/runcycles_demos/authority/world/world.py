"""The world as a whole: it is asked what happened, and it does not ask the agent."""

from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from runcycles_demos.authority.world.crm import Case, Crm, Rows
from runcycles_demos.authority.world.effects import Effects
from runcycles_demos.authority.world.mailbox import Mailbox
from runcycles_demos.kit.trouble import StackError


class World:
    """A mailbox and a CRM with these cases, open while it is entered.

    Raises:
        StackError: this machine has no port for them.
    """

    def __init__(self, cases: Iterable[Case]) -> None:
        self.effects = Effects()
        self.rows = Rows(cases, self.effects)
        self.crm_url = ""
        self.smtp_port = 0
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            opened.callback(self.rows.close)
            try:
                crm, mailbox = Crm(self.rows), Mailbox(self.effects)
                self.crm_url = crm.open()
                opened.callback(crm.close)
                self.smtp_port = mailbox.open()
                opened.callback(mailbox.close)
            except OSError as exc:
                raise StackError(f"The mailbox or the CRM cannot listen: {exc}.") from exc
            self._exits = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._exits.close()
