"""Contracts in which callers may ask: their calls as ours, and our answers as theirs."""
