"""`PUT /api/v1/blobs/sha256/<hex>`: contents that changes refer to, from where they were captured.

They are given to nobody here: what a reader may see of them is decided elsewhere.
"""

from __future__ import annotations

import hashlib

from fastapi import APIRouter, Request, Response

from lineage.errors import RefusedError, UnknownNameError
from lineage.web.body import read_body
from lineage.web.replies import reply
from lineage.web.service import Service, service_of

__all__ = ["router"]

router = APIRouter()

_PLACE = "/api/v1/blobs/sha256/{digest}"


@router.put(_PLACE)
async def keep(request: Request, digest: str) -> Response:
    """Keep contents under their SHA-256: 201, or 200 where they were there; durable by then."""
    service = service_of(request)
    data = await read_body(request, service.settings.max_body)
    new = await service.writing(lambda: _keep(service, digest, data))
    return reply({"sha256": digest, "size": len(data)}, 201 if new else 200)


@router.head(_PLACE)
async def there(request: Request, digest: str) -> Response:
    """Whether contents are there: 200 or 404."""
    service = service_of(request)
    if not await service.reading(lambda: service.workspace.blobs.has(digest)):
        raise UnknownNameError(f"no blob {digest[:80]!r}", hint="PUT brings it")
    return Response()


def _keep(service: Service, digest: str, data: bytes) -> bool:
    """Whether it was new. Nothing is written before the digest was seen to be right."""
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise RefusedError(
            f"the body is {len(data):,} bytes with the digest {found}, not {digest[:80]!r}",
            code="wrong-digest",
            hint="the address ends in the SHA-256 of the body, 64 lower-case hex digits; "
            "if it does, the body was changed on the way: send it again",
        )
    blobs = service.workspace.blobs
    new = not blobs.has(digest)
    blobs.put(data)  # also where it is there: its writer may not have come to the end
    return new
