"""Which records of officers' work must people look at, and which faults must the owner of a system mend?"""
