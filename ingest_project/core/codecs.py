"""The words for how vectors are stored. Apart from the code that does it: settings know them in every
process, and numpy would cost each of these some 20 MB."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

Codec: TypeAlias = Literal["zlib-float32", "float16", "int8"]
CODECS: tuple[Codec, ...] = get_args(Codec)
