"""Calculate the cost of reads and the remaining budget."""
