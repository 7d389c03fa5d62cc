"""The image of the pipeline's jobs: built, checked, listed, signed and published as any other."""
