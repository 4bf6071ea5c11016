"""What share of the next placements should each agency get?"""
