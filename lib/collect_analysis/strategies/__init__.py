"""Strategies: tests designed, watched and reviewed, comparisons without a lot, drivers, proposed rules."""
