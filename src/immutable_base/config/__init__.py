"""What users write: immutable-base.toml, read and validated."""
