"""Sign this target, or negotiate it again?"""
