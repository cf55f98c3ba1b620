"""What reads cost, and how much may be spent."""
