"""Agencies: their evaluation, the check of their records, invoices, the next placements."""
