"""The sample shop: a synthetic debt collector with known truth, against which every analysis is tested."""

from collect_analysis.book.sample.shop import LEAST_ACCOUNTS, LEAST_MONTHS, TRUTH, make_sample

__all__ = ["LEAST_ACCOUNTS", "LEAST_MONTHS", "TRUTH", "make_sample"]
