"""The keys of a configuration as a person looks at them, before they are trusted."""
