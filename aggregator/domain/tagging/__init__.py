"""Find topics and countries in text."""
