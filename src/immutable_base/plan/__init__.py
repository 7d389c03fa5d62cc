"""Decide before building: which kernel, which modules, which packages, and why."""
