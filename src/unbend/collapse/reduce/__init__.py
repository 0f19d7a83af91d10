"""The cheapest exact form of one stretch: its graph of single maps reduced to few, each a chain of steps."""
