"""Who gets the accounts of the next period, with which probabilities, and which come back?"""
