"""What is in an image, as CycloneDX 1.6: its RPM packages and its kernel modules."""
