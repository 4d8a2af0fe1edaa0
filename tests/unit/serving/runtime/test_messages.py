"""What a front asks, and what it is told, arrives as it was said."""

from serving.protocol import Answer, Attention
from serving.rows.query import Extras
from serving.runtime.messages import TO_DEVICE, TO_FRONT, Ask, AskedRow, Outcomes


def test_extras_travel_to_the_device_and_cost_nothing_where_there_are_none() -> None:
    plain = AskedRow(task="pets", version=None, top_k=5)
    wanted = plain.model_copy(
        update={"extras": Extras(embed=True, logits_bytes=9, encoding="list", attention_bytes=7)}
    )
    ask = Ask(call=1, rows=(plain, wanted))
    assert TO_DEVICE.validate_json(ask.model_dump_json()) == ask
    assert b"extras" not in plain.model_dump_json().encode()


def test_numbers_travel_back_as_they_were_written() -> None:
    answer = Answer(
        task="pets", version="ab" * 32, predictions=(), embedding="AACAPw==",
        logits=(0.5, -1e-38), class_names=("a", "b"),
        attention=Attention(
            grid=(1, 2), values=(0.25, 0.75), prompts=0.5, resize="shorter", crop=0.875
        ),
    )  # fmt: skip
    outcomes = Outcomes(call=1, rows={0: answer})
    assert TO_FRONT.validate_json(outcomes.model_dump_json()) == outcomes
