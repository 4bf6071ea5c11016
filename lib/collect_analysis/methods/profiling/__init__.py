"""Comparing units fairly: profiling, shrinkage, funnels, peers, agreement, reliability."""
