"""Reproducible measurements: `make bench`. Compare ratios within one run; machines differ and are noisy."""
