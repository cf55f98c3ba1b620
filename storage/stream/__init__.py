"""Activities: writing, reading, searching and tagging."""
