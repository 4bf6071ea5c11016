"""Accounts to officers, teams, agencies and channels: highest expected net recovery under capacity, and every arm keeps being tried."""
