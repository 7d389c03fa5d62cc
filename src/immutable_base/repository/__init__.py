"""Metadata and keys of rpm repositories: fetched, verified, then read."""
