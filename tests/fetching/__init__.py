"""Tests of `aggregator.fetching`."""
