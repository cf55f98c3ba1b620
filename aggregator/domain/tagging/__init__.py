"""Topics and countries found in text."""
