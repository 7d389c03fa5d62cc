"""What an image says of itself: its files, its rpm database, its programs."""
