"""What is written of all that could be: several stretches at once, growth, doubts settled by time."""
