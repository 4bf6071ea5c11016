"""What will come: completion, Markov chains, season, recovery, targets, capacity."""
