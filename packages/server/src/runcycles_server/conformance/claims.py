"""What a server claims: what it serves, as far as the user does not leave it out.

A profile, and an optional operation, is not claimed where the server answers that there is no such
thing. What is not claimed is never passed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from runcycles_server.conformance.client import Caller
from runcycles_server.conformance.requirements import Profile, Requirement

_NOT_SERVED: Final = (404, 405, 501)

OPERATIONS: Final[Mapping[str, tuple[str, str]]] = {
    "decide": ("POST", "/v1/decide"),
    "listReservations": ("GET", "/v1/reservations"),
    "getReservation": ("GET", "/v1/reservations/none"),
    "createEvent": ("POST", "/v1/events"),
}
"""The optional operations of the runtime, by method and path."""

_PROFILES: Final[Mapping[Profile, tuple[str, str]]] = {
    Profile.RUNTIME: ("POST", "/v1/reservations"),
    Profile.GOVERNANCE_CORE: ("GET", "/v1/auth/introspect"),
    Profile.EXTENSION: ("GET", "/v1/action-kinds"),
    Profile.EVENTS_WEBHOOKS: ("GET", "/v1/admin/events"),
}
"""By which operation one sees whether a server has a profile."""

_GOVERNED: Final = (Profile.GOVERNANCE_CORE, Profile.EXTENSION, Profile.EVENTS_WEBHOOKS)
"""Profiles that nobody can check without being the operator."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Which profiles and optional operations are checked."""

    profiles: Collection[Profile]
    operations: Collection[str]

    def covers(self, requirement: Requirement) -> bool:
        """Whether a requirement binds this server."""
        if requirement.profile not in self.profiles:
            return False
        return requirement.operation is None or requirement.operation in self.operations


async def find_claims(caller: Caller, wanted: Collection[Profile], *, governs: bool) -> Claims:
    """Ask for each thing without a key: whoever answers 401 or 400 has it.

    Raises:
        ViolationError: the server does not answer at all.
    """
    profiles = [
        profile
        for profile, (method, path) in _PROFILES.items()
        if profile in wanted
        and (governs or profile not in _GOVERNED)
        and await _is_served(caller, method, path)
    ]
    operations = [
        name
        for name, (method, path) in OPERATIONS.items()
        if await _is_served(caller, method, path)
    ]
    return Claims(profiles, operations)


async def _is_served(caller: Caller, method: str, path: str) -> bool:
    answer = await caller.ask(method, path, {} if method == "POST" else None)
    return answer.status not in _NOT_SERVED
