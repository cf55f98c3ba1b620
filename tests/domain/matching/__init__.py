"""Tests of how entries are matched with those that are stored."""
