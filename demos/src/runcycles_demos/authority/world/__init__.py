"""A world to act in: a mailbox and a CRM, both real and both on loopback."""
