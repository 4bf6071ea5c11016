"""Which bucket of which product must somebody act on, and what do the coming months bring?"""
