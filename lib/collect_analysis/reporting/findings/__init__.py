"""What a run found, in words: decisions and conditions of a report kind, worded in the language of the page."""
