"""Tests of `aggregator.domain`."""
