"""Who should be coached, recognised or relieved?"""
