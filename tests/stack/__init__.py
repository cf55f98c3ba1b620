"""Tests of the whole stack: workers, scheduler and reader as processes."""
