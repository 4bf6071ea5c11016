"""Did the period go to plan, and who must act on what?"""
