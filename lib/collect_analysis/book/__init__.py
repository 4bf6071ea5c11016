"""The debt book: what the tables are, where they live, and how data gets in."""
