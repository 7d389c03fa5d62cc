"""One run, from a plan to a verdict for each variant."""
