"""Rates, ratios and their intervals; resampling, multiplicity, strata, segments."""
