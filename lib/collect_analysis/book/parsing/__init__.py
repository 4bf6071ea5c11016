"""From text cells to typed values: each distinct text is read once; what does not fit is marked, nothing is guessed."""
