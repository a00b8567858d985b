"""Publishing to a bucket, by the storage library of Delta: S3 and what speaks its protocol.

Credentials and endpoint come from the environment, by the names that library documents. A bucket
with object lock, or whose key may only put, keeps what was published from whoever runs the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from typing_extensions import override

from lineage.errors import PublishError
from lineage.record.seal.places import Place, is_written

__all__ = ["BucketPlace"]

_OPTIONS = {"connect_timeout": "5s", "timeout": "30s", "max_retries": "3", "retry_timeout": "30s"}


class BucketPlace(Place):
    """Objects below a URL."""

    remote = True

    def __init__(self, url: str) -> None:
        self.name = url.rstrip("/")
        self._storage: Any = None

    @override
    def read(self, name: str) -> bytes | None:
        try:
            with closing(self._opened().open_input_file(name)) as file:
                data: bytes = file.read(None)
        except FileNotFoundError:
            return None
        except Exception as fault:
            raise self._failed(fault) from fault
        return data

    @override
    def write(self, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            if not is_written(name, data, self.read(name)):
                continue
            try:
                with closing(self._opened().open_output_stream(name, None)) as file:
                    file.write(data)
            except Exception as fault:
                raise self._failed(fault) from fault

    def _opened(self) -> Any:
        if self._storage is None:
            # Part of a library that is pinned to a minor version; its public face needs pyarrow.
            from deltalake._internal import DeltaFileSystemHandler

            self._storage = DeltaFileSystemHandler(self.name, _OPTIONS)
        return self._storage

    def _failed(self, fault: Exception) -> PublishError:
        told = str(fault).strip().splitlines() or [type(fault).__name__]
        return PublishError(
            f"{self.name}: {told[0]}", hint="look at the address, the credentials and the endpoint"
        )
