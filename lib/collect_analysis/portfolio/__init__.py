"""The portfolio: KPIs of a period, flow between buckets, the pace of a month, targets."""
