"""What the gates beside an officer's index are called; apart from what counts them, so that report files can name them."""

QUALITY, BREACHES, KEPT = "critical_qa", "hard_breaches", "kept_promises"
GATES = (QUALITY, BREACHES, KEPT)
