"""Promote a challenger to champion, reject it, or extend the test?"""
