"""What several tests need: a world without network or root, plans, packages, registries."""
