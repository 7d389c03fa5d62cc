"""What a person sees of a result: every table and text."""
