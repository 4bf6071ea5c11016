"""Figures: take a finished table, return axes, compute nothing. One look for all of them in `style`.

Generic ones live here (`intervals`, `curves`); a report kind's own figures live in a module named after its subject.
"""
