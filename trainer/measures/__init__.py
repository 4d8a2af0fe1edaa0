"""What the paper measures besides accuracy.

`nmi`, `cka` and `attention` look into the frozen trunk under prompts and return numbers.
"""
