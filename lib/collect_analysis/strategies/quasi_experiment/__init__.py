"""What did a rule do where nobody drew lots: keep it for now, suspend it, or is it unknown?"""
