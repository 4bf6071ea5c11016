"""Adopt a rule that says which accounts get which action, reject it, or test it first?"""
