"""Readers: a file or table of a source as text cells with their lines, nothing guessed."""

from collect_analysis.book.readers.cells import Cells

__all__ = ["Cells"]
