"""Machines with an image on their disk that are kept, started, upgraded and looked at by hand."""
