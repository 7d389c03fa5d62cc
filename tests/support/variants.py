"""Names of what the product publishes."""

VARIANTS = ["base", "base-zfs", "base-zfs-nvidia", "fedora-base"]
