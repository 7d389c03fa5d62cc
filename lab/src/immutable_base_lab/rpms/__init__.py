"""RPM packages and repositories made from what Debian has."""
