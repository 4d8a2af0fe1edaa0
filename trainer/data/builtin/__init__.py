"""Small tasks that need no download: real digits, and rendered shapes, counts and letters."""
