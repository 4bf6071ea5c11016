"""What predicts the outcome, what can we change, and for whom does the challenger work?"""
