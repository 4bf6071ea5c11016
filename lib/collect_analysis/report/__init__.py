"""What a report is made of: typed parameters, recording, disclosure, conditions, words and formats, tables, figure style."""
