"""From a built image to facts."""
