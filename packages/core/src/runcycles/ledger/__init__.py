"""The ledger: pure functions from a snapshot and a request to an outcome.

Nothing in here does I/O, reads a clock or rolls a dice, and nothing outside knows a rule about
money or authority.
"""
