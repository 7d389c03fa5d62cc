"""Services on loopback: one module for each."""
