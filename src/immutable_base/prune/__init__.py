"""What may go from the registry, what must stay and why; and taking it away."""
