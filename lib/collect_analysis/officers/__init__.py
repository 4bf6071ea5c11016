"""Officers: scorecards, pay schemes, the worth of KPIs, audits of their records."""
