"""Time to an event, with competing ends."""
