"""Statistics on small tables. Knows nothing of debts, files or notebooks."""
