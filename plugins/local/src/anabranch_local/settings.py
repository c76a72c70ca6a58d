"""What a stack may set of the local components. Loaded only when one does."""

from typing import Literal

from pydantic import Field

from anabranch.plugins import Settings


class LocalStoreSettings(Settings):
    """`[artifact_store]` of a folder."""

    synced: bool = Field(
        default=False,
        description="true waits for the disk at every put, so that a power cut loses nothing",
    )


class SqliteSettings(Settings):
    """`[journal]` of a SQLite file, beside the core's own `lease_seconds`."""

    synchronous: Literal["NORMAL", "FULL"] = Field(
        default="NORMAL",
        description='"NORMAL" survives any crash of a process; "FULL" waits for the disk and survives a power cut',
    )
