"""What every room of the lab uses: folders, cache, keys, ports, steps."""
