"""Everything remote, on loopback: repositories, bases, registry and signing services."""
