"""Debian as the lab needs it: archive, choice of packages, kernels, a root to work in."""
