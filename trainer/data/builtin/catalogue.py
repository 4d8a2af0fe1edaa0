"""The built-in tasks by name."""

from trainer.data.builtin.counting import COUNTING
from trainer.data.builtin.digits import DIGITS
from trainer.data.builtin.letters import LETTERS
from trainer.data.builtin.rendering import Builtin
from trainer.data.builtin.shapes import SHAPES

BUILTIN: dict[str, Builtin] = {
    "digits": DIGITS,
    "shapes": SHAPES,
    "counting": COUNTING,
    "letters": LETTERS,
}
