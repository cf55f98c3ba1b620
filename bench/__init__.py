"""Measurements that anyone can run: `make bench`. Ratios within one run count; machines differ and are noisy."""
