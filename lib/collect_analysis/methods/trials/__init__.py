"""Randomised tests: design, power, assignment, looks, effects, adjustment."""
