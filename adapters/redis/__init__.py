"""One Redis: found, started, reached and guarded."""
