"""Adopt a pay scheme for officers, adopt it with changes, or leave it?"""
