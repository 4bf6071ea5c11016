"""What is measured: expressions over the canonical tables, computed where the data live, returned as small tidy tables."""
