"""A black-box check of any server of the Cycles protocol: over HTTP alone, one requirement a check.

Nothing in here imports the server or its ledger, so that no mistake of ours can judge itself.
"""

from runcycles_server.conformance.checks import CHECKS
from runcycles_server.conformance.judging import Target, judge
from runcycles_server.conformance.requirements import REQUIREMENTS, Level, Profile, Requirement
from runcycles_server.conformance.runner import Report, Result, Verdict

__all__ = [
    "CHECKS",
    "Level",
    "Profile",
    "REQUIREMENTS",
    "Report",
    "Requirement",
    "Result",
    "Target",
    "Verdict",
    "judge",
]
