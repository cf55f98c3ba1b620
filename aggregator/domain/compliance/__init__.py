"""Content that was deleted or withheld upstream."""
