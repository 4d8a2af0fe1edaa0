"""Who is let in: each row's key, each task's owner, each tenant's rate. Knows no images.

Checked in this order, before anything is looked up or decoded, so that a refused row costs next
to nothing and its answer does not depend on whether the task exists.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serving.door.rate_limit import RateLimit
from serving.door.request import Request
from serving.door.tenants import Tenant
from serving.door.tenants_file import TenantsFile
from serving.errors import BadKey, Forbidden, RateLimited
from serving.protocol import KEY_HEADER


@dataclass
class Admitted:
    """A request whose caller may ask.

    Attributes:
        request: what.
        refusals: for each image and in it for each task why it is not asked; None where it is.
    """

    request: Request
    refusals: list[Exception | None]


_Place = tuple[Admitted, int]
"""A task and an image of a request."""


class Admission:
    """Lets in those who may ask.

    Args:
        tenants: those who may; None lets anyone in.
        limit: how much each may.
    """

    def __init__(self, tenants: TenantsFile | None, limit: RateLimit) -> None:
        self._tenants = tenants
        self._limit = limit

    @property
    def may_wait(self) -> bool:
        """Whether `admit` may wait some milliseconds: for the limits that processes share."""
        return self._limit.is_shared

    def check_key(self, key: str | None) -> None:
        """Let in whoever holds a tenant's key, before it is known what they ask.

        Raises:
            BadKey: the key is no tenant's.
        """
        if self._tenants is not None and self._holder_of(key) is None:
            raise _no_tenant(key)

    def visit(self, key: str | None) -> Tenant | None:
        """Let in whoever asks about no image; it counts as one row.

        Returns:
            Whose tasks the caller may know of; None where there are no tenants.

        Raises:
            BadKey: the key is no tenant's.
            RateLimited: its holder may ask no more now.
        """
        if self._tenants is None:
            return None
        holder = self._holder_of(key)
        if holder is None:
            raise _no_tenant(key)
        granted, wait_s = self._limit.take({holder: 1})[holder]
        if not granted:
            raise _beyond_rate(holder, wait_s)
        return holder

    def admit(
        self, requests: Sequence[Request | Exception], keys: Sequence[str | None]
    ) -> list[Admitted | Exception]:
        """Return what becomes of each row of a batch.

        Args:
            requests: as parsed, or why they could not be.
            keys: of the same rows, None where there is none.

        Returns:
            `BadKey` for a row without a tenant's key, even if more is wrong with it; the error
            that it was parsed to; or the request, whose tasks may be `Forbidden` or `RateLimited`.
        """
        if self._tenants is None:
            return [_let_in(None, request) for request in requests]
        rows: list[Admitted | Exception] = []
        admitted: dict[Tenant, list[Admitted]] = defaultdict(list)
        for request, key in zip(requests, keys, strict=True):
            holder = self._holder_of(key)
            row = _no_tenant(key) if holder is None else _let_in(holder, request)
            rows.append(row)
            if holder is not None and isinstance(row, Admitted):
                admitted[holder].append(row)
        self._ration(admitted)
        return rows

    def close(self) -> None:
        """Let go of the threads that follow the tenants and ask for their limits."""
        self._limit.close()
        if self._tenants is not None:
            self._tenants.close()

    def _holder_of(self, key: str | None) -> Tenant | None:
        if self._tenants is None or key is None:
            return None
        return self._tenants.tenants.holder_of(key)

    def _ration(self, admitted: Mapping[Tenant, Sequence[Admitted]]) -> None:
        """Refuse, in place, what is beyond each tenant's rate."""
        asked = {tenant: _open_places(rows) for tenant, rows in admitted.items()}
        wanted = {tenant: len(places) for tenant, places in asked.items() if places}
        try:
            grants = self._limit.take(wanted)
        except Exception as error:  # a fault of ours costs the rows it is about, not the batch
            for tenant in wanted:
                _refuse(asked[tenant], error)
            return
        for tenant, (granted, wait_s) in grants.items():
            _refuse(asked[tenant][granted:], _beyond_rate(tenant, wait_s))


def _open_places(rows: Sequence[Admitted]) -> list[_Place]:
    return [(row, i) for row in rows for i, refusal in enumerate(row.refusals) if refusal is None]


def _refuse(places: Sequence[_Place], refusal: Exception) -> None:
    for row, i in places:
        row.refusals[i] = refusal


def _no_tenant(key: str | None) -> BadKey:
    found = "none" if key is None else "one that nobody holds"
    return BadKey(f"expected a tenant's key in the header {KEY_HEADER}, found {found}")


def _beyond_rate(tenant: Tenant, wait_s: float) -> RateLimited:
    return RateLimited(
        f"tenant {tenant.name} may ask {tenant.requests_per_s:g} rows a second, "
        f"{tenant.burst} at once; ask again in {wait_s:.3f} s",
        retry_after_s=wait_s,
    )


def _let_in(tenant: Tenant | None, request: Request | Exception) -> Admitted | Exception:
    if isinstance(request, Exception):
        return request
    refusals = [
        forbidden(tenant, task) or fault for fault in request.faults for task in request.tasks
    ]
    return Admitted(request, refusals)


def forbidden(tenant: Tenant | None, task: str) -> Exception | None:
    """Return why a tenant may not ask a task, None if they may."""
    if tenant is None or tenant.may_ask(task):
        return None
    return Forbidden(f"task {task!r} is not among those that tenant {tenant.name} may ask")
