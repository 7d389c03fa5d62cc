"""One night: every stage for every variant, and one verdict for each."""
