"""Values, the bytes that they become, and the places that keep those.

`interface` is the agreement, `codecs` the registry, `local` the store that needs but a folder.
Everything for NumPy, pandas, Polars, Arrow, Pydantic and pickles loads when a value asks for it.
"""

from anabranch.artifacts.codecs import Codecs as Codecs
from anabranch.artifacts.interface import ArtifactStore as ArtifactStore
from anabranch.artifacts.interface import Buffers as Buffers
from anabranch.artifacts.interface import Codec as Codec
from anabranch.artifacts.interface import Declined as Declined
from anabranch.artifacts.interface import Encoded as Encoded
from anabranch.artifacts.interface import MemorySource as MemorySource
from anabranch.artifacts.interface import Payload as Payload
from anabranch.artifacts.interface import SequenceCodec as SequenceCodec
from anabranch.artifacts.interface import Source as Source
from anabranch.artifacts.interface import Stored as Stored
from anabranch.artifacts.interface import digest_of as digest_of
from anabranch.artifacts.local import LocalStore as LocalStore
