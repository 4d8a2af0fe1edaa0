"""A launch: one service's folder, record and processes, whatever front takes its callers."""
