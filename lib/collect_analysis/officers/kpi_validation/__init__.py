"""Which KPIs may judge officers: adopt, give a low weight, use as a gate only, or drop?"""
