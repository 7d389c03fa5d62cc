"""Everything remote, on loopback: repositories, bases, registry and signing services."""

SUMMARY = "everything remote on loopback: repositories, bases, registry, signing services"
"""What `immutable-base --help` says of the command `lab`."""
