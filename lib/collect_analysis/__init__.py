"""Analytics for the strategy and performance desk of a debt collector."""

__version__ = "0.1.0"
