"""How often a bank that is too small for all tasks has the adapter that is asked for."""

from adapters.vit.adapter import decode
from serving.inference.bank import AdapterBank
from serving.rows.resident import make_resident
from tests.bench.models import RandomSource, random_key
from tests.bench.popularity import draws
from tests.fakes.tiny import tiny_backbone

SHARE_IN_BANK = 0.25
PATIENCE_S = 60.0


def hit_rate(popularity: str, tasks: int, rows: int, batches: int) -> float | None:
    """Return the share of rows whose adapter is resident where a quarter of all tasks fits.

    None where a quarter of the tasks is less than one batch. A statistic of the bank's alone, so
    the adapters are those of a tiny backbone.

    Args:
        popularity: of the tasks.
        tasks: in all.
        rows: of one batch.
        batches: that are counted, after as many that fill the bank.
    """
    room = int(SHARE_IN_BANK * tasks)
    if room < rows:
        return None
    backbone, draw, hits = tiny_backbone(), draws(popularity, tasks, rows), 0
    source = RandomSource(backbone.spec)
    each = make_resident(decode(source.read("task-0", "")), backbone).num_bytes
    bank = AdapterBank(backbone, source, room * each)
    for number in range(2 * batches):
        keys = [random_key(task) for task in draw()]
        with bank.lease(keys) as lease:
            if number >= batches:
                hits += sum(key in lease.residents for key in keys)
            lease.wait(PATIENCE_S)
    bank.close()
    return hits / (batches * rows)
