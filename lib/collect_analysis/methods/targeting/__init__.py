"""Whom to treat: uplift, the value of a policy from logged decisions."""
