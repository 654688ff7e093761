"""Servers that are broken in one way each, and the requirements that this breaks."""

from tests.conformance.faults import answers, governing, keys_and_tenants, ledger, lists

BROKEN = {
    **ledger.FAULTS,
    **keys_and_tenants.FAULTS,
    **answers.FAULTS,
    **lists.FAULTS,
    **governing.FAULTS,
}
