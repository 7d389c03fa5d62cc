"""What a person sees: tables at the end, lines while it runs."""
