"""Everything that a kind of source imports."""
