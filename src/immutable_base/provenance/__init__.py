"""Of what, by whom and on whose demand an image was built: SLSA provenance, made of documents."""
