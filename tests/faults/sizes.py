"""How much of every fault: the whole suite, its short form, and the one that runs in the tests."""

from dataclasses import dataclass

from tests.fakes.crashes import End


@dataclass(frozen=True)
class Sizes:
    """How often and how long.

    Attributes:
        changes: publishes, canaries, promotions and rollbacks under load.
        rate_per_s: of the steady load, well below what two cores can answer.
        pairs: how often each fault of Redis comes, with a phase before it and one during it; those
            before all of them are compared with those during each.
        phase_s: seconds of each such phase.
        kills: of the worker.
        losses: of its device.
        stopped: the changes whose publisher dies; none for all there are.
        ends: ways in which he dies at each of their steps.
        races: rounds of two publishers.
        foreign: versions of each task of another backbone.
        hostile: requests of strangers, good ones among them not counted.
        damaged: artifacts that are not what they should be.
        damaged_over_http: those of them that a service meets too.
        cycles: adapters that come to a bank and go.
        load_s: seconds at 80% of saturation.
        saturation_s: seconds in which that is measured.
        doors: how often every caller comes who may not, and the token is replaced.
        floods: pairs of a phase without and one with a tenant that asks 10 times too much.
        crowd: photos that come at once.
        idle: connections without a word, with a quarter as many slow senders.
    """

    changes: int
    rate_per_s: float
    pairs: int
    phase_s: float
    kills: int
    losses: int
    stopped: tuple[str, ...]
    ends: tuple[End, ...]
    races: int
    foreign: int
    hostile: int
    damaged: int
    damaged_over_http: int
    cycles: int
    load_s: float
    saturation_s: float
    doors: int
    floods: int
    crowd: int
    idle: int


LONG = Sizes(
    changes=1000,
    rate_per_s=25,
    pairs=3,
    phase_s=4,
    kills=20,
    losses=5,
    stopped=(),
    ends=(End.KILLED, End.REFUSED, End.TORN),
    races=1000,
    foreign=100,
    hostile=10_000,
    damaged=1000,
    damaged_over_http=40,
    cycles=100_000,
    load_s=1800,
    saturation_s=10,
    doors=10,
    floods=4,
    crowd=140,
    idle=600,
)
SHORT = Sizes(
    changes=200,
    rate_per_s=25,
    pairs=1,
    phase_s=5,
    kills=4,
    losses=2,
    stopped=(),
    ends=(End.KILLED,),
    races=300,
    foreign=100,
    hostile=2000,
    damaged=300,
    damaged_over_http=16,
    cycles=20_000,
    load_s=120,
    saturation_s=6,
    doors=5,
    floods=2,
    crowd=140,
    idle=300,
)
TINY = Sizes(
    changes=24,
    rate_per_s=10,
    pairs=1,
    phase_s=1,
    kills=1,
    losses=1,
    stopped=("later publish",),
    ends=(End.KILLED,),
    races=20,
    foreign=5,
    hostile=200,
    damaged=60,
    damaged_over_http=6,
    cycles=500,
    load_s=6,
    saturation_s=2,
    doors=2,
    floods=1,
    crowd=16,
    idle=40,
)
