"""Frozen values and the documents that stages exchange; no file, network or process access."""
