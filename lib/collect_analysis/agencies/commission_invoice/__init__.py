"""Pay each agency's invoice, pay the undisputed part, or return it?"""
