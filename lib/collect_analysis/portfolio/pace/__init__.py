"""Will the month end on its plan, and what should be done today?"""
