"""The collapse worked step by step."""
