"""libsolv: packages, transactions and the order of versions."""
