"""Effects where nobody drew lots: cut-offs, roll-outs, overlap, sensitivity."""
