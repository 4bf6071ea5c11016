"""Fix the running test, stop it, or let it go on?"""
