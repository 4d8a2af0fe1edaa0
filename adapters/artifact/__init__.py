"""The file of one adapter, and what may be known of it without torch."""
