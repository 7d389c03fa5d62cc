"""From facts and plan to findings."""
