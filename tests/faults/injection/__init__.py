"""Cause faults in the whole stack while publishers publish, and compare the store with what they published."""
