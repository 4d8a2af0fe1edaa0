"""What the paper measures besides accuracy, and how it is drawn.

`nmi`, `cka` and `attention` look into the frozen trunk under prompts and return numbers;
`curves`, `bars`, `matrices` and `overlay` turn numbers into pictures and never see a trunk.
"""
