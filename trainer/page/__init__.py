"""One look for every page and picture: palette, type, HTML base, charts, words. No torch here."""
