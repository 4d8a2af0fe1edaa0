"""A token counts from the moment its file is replaced, and without a file nobody is let in."""

import os
from pathlib import Path

import pytest

from serving.errors import BadToken
from serving.front.token import TokenFile


def test_a_new_token_counts_at_once_and_the_old_one_no_more(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old\n")
    token = TokenFile(path)
    token.check("Bearer old")
    (tmp_path / "new").write_text("new")
    os.replace(tmp_path / "new", path)
    token.check("Bearer new")
    with pytest.raises(BadToken, match="found another one"):
        token.check("Bearer old")


@pytest.mark.parametrize("shown", [None, "", "Bearer", "Bearer ", "Bearer x", "Bearer \xff"])
@pytest.mark.parametrize("kept", [None, "", "\n"])
def test_where_no_token_is_kept_none_is_right(
    tmp_path: Path, shown: str | None, kept: str | None
) -> None:
    path = tmp_path / "token"
    if kept is not None:
        path.write_text(kept)
    with pytest.raises(BadToken):
        TokenFile(path).check(shown)
