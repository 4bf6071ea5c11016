"""What somebody signs, derived from measures and methods by stated rules."""
