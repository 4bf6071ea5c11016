"""What gates are called that stand beside an officer's or an agency's index; apart from what counts them, so that files can name them."""

QUALITY, BREACHES, KEPT = "critical_qa", "hard_breaches", "kept_promises"
GATES = (QUALITY, BREACHES, KEPT)
# Gates of an agency that neighbouring pages answer.
INTEGRITY, BILLING = "integrity", "billing"
AUDIT_GATES = (INTEGRITY, BILLING)
