"""What a host accepts: policy.json and what goes with it, rendered of `[signing]`, and linted."""
