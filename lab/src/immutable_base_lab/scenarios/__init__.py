"""Situations that the lab sets up, and the tiny stream on which most of them run."""
