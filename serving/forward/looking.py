"""Where the model looks, for rows that ask: a forward of the frozen trunk in torch for them alone.

Whatever runs the trunk, torch holds it too, as it prepares adapters: so no graph, kernel or export
needs to know of attention, and rows that do not ask cost what they did.
Axis letters: B batch, S shares: of each patch, and last of prompts.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from adapters.vit.backbone import Backbone
from adapters.vit.prompting import where_it_looks
from serving.forward.crops import pixels_of
from serving.forward.prompts import gather_prompts
from serving.forward.sharing import share
from serving.rows.row import Row
from serving.trunk.graphs import spec_of


def looks_of(backbone: Backbone, rows: Sequence[Row]) -> Float[Tensor, "B S"] | None:
    """Return each row's attention to patches, which sums to 1, and last the share of prompts.

    Args:
        backbone: frozen; attention is as exact as the floating type it computes in.
        rows: of one form; those that ask get a forward, the others have zeros.

    Returns:
        None if no row asks.
    """
    places = [place for place, row in enumerate(rows) if row.query.extras.attention_bytes]
    if not places:
        return None
    shared, form = share([rows[place] for place in places]), rows[0].resident.form
    pixels = pixels_of(shared.rows, backbone.device).to(backbone.dtype)
    prompts = gather_prompts(backbone, form, [row.resident for row in shared.rows])
    patches, on_prompts = where_it_looks(backbone.trunk, spec_of(backbone, form), pixels, prompts)
    found = patches.new_zeros(len(rows), patches.shape[1] + 1)
    found[places, :-1] = patches[shared.feature_of]
    found[places, -1] = on_prompts[shared.feature_of]
    return found
