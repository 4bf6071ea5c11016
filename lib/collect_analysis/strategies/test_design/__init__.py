"""Run this test, enlarge it, lengthen it, change its metric, or do not run it?"""
