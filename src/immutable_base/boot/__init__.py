"""A built image, installed on a disk as a host does, started, and asked what became of it."""
