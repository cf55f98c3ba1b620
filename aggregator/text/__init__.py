"""Pure functions on HTML, URLs and words."""
