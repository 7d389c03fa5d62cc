"""What several adapters share: how long programs may take, and how their network is taken away."""

from __future__ import annotations

QUICK = 120.0
"""Seconds for a request about metadata; slow disks included."""
TRANSFER = 3600.0
"""Seconds for reading or writing a whole image."""
NO_NETWORK = ("unshare", "--net", "--")
"""Prefix (util-linux) that leaves a program with a loopback device that is down."""
