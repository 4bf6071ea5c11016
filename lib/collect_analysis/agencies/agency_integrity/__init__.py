"""Which agencies must be audited, and on which questions?"""
