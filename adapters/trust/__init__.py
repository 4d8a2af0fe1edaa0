"""Whose word counts for which artifact: keys, signatures next to the bytes, and their check."""
