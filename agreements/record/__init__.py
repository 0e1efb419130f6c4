"""The life of a record: what follows when it changes."""
