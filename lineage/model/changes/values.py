"""What every change is made of: texts, times, references, and the base of all changes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from lineage.errors import InputError, RefusedError
from lineage.model import canonical as canon
from lineage.model.canonical import FOREVER
from lineage.model.ids import parse_id

__all__ = [
    "ArtifactRef",
    "BlobRef",
    "Change",
    "JsonText",
    "MethodName",
    "Name",
    "NodeId",
    "RunRef",
    "Schema",
    "Sha256",
    "Text",
    "Time",
    "Value",
]

Time = Annotated[int, Field(ge=-(10**17), le=FOREVER, strict=True)]
"""UTC microseconds since the epoch."""
Text = Annotated[str, Field(max_length=65_536)]
Schema = Annotated[str, Field(max_length=1 << 21)]
"""Of a table with thousands of columns, it is megabytes."""
Name = Annotated[str, Field(min_length=1, max_length=65_536)]


def _canonical_id(text: str) -> str:
    try:
        parse_id(text)
    except RefusedError as fault:
        raise ValueError(fault.message) from fault
    return text


NodeId = Annotated[str, Field(max_length=8_192), AfterValidator(_canonical_id)]
"""An id in the grammar of :mod:`lineage.model.ids`."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _json_text(text: str) -> str:
    try:
        canon.parse_json(text)
    except InputError as fault:
        raise ValueError(fault.message) from fault
    return text


JsonText = Annotated[str, Field(max_length=1 << 24), AfterValidator(_json_text)]
"""JSON as text. A stub keeps every name: of a run with thousands of inputs, that is megabytes."""
MethodName = Literal["observed", "declared", "inferred"]


class Value(BaseModel):
    """Base of all values in a change: frozen, and unknown fields are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)


class ArtifactRef(Value):
    """Names an artifact."""

    namespace: Name
    name: Name


class RunRef(Value):
    """Names a run: its job and the run id within it."""

    namespace: Name
    job: Name
    run_id: Name


class BlobRef(Value):
    """Contents kept in the blob store."""

    sha256: Sha256
    size: int = Field(ge=0)
    media_type: Text = "application/octet-stream"


class Change(Value):
    """Base of every change. ``event_at`` is when it happened."""

    v: Literal[1] = 1
    event_at: Time
