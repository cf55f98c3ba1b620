"""Tests of `aggregator.text`."""
