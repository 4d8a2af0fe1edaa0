"""Whose word counts for which artifact: keys, signatures beside the bytes, and their check."""
