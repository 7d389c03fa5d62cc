"""Stand-in base images."""
