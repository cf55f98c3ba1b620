"""Tests of `aggregator.domain.matching`."""
