"""Readers: a file or table of a source as text cells with their lines, nothing guessed."""
