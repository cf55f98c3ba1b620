"""Process HTML, URLs and words with pure functions."""
