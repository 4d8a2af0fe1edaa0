"""Formats in which data sets travel: images inside other files are read in place."""
