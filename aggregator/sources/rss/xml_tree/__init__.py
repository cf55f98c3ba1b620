"""Read well-formed feeds with lxml."""
