"""Random files from a seed, larger and faster to make than Hypothesis' own: what the long fuzz test reads."""

from __future__ import annotations

import json
from random import Random
from typing import Any

TRICKY = [
    '"},{"id":"',
    "},{",
    "]}",
    '\\"',
    "\\",
    "\n",
    "é\U0001f600",
    "\u2028\x7f",
    '{"Items":[',
    "",
    "x" * 90,
]
NUMBERS = ["0", "-0", "1.0", "1E+30", "-1.50e-7", "12345678901234567890123.0450", "1" * 38, "0.10", "7"]
GAPS = [",", ",", ",\n", ", ", " ,\r\n\t", "\n,"]
ENDS = ["\n", "\n", "\r\n", "\n\n", " \n", "", " "]
BYTES = [bytes([byte]) for byte in b'{}[],:"\\ \n01.eE-+ntxN\x00\x80\xff\xef']


class Maker:
    """Makes files; ``style`` of a file decides how its records resemble each other."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def file(self) -> bytes:
        pick = self.random.random()
        records = [self.record(style) for style in [self.random.randrange(5)] for _ in range(self.count())]
        if pick < 0.35:
            return self.wrapped(records).encode()
        if pick < 0.6:
            return self.array(records).encode()
        if pick < 0.8:
            return (self.choice(["", "", "\ufeff", "\n"]) + self.choice(ENDS).join(records)).encode()
        pages = [
            self.choice([self.wrapped, self.array, self.alone])(records[:5])
            for _ in range(self.count() // 4 + 1)
        ]
        return self.choice(ENDS).join(pages).encode()

    def count(self) -> int:
        return self.choice([0, 1, 2, 5, 12, 30, 60])

    def choice(self, options: list[Any]) -> Any:
        return self.random.choice(options)

    def array(self, records: list[str]) -> str:
        white = self.choice(["", "", " ", "\n  "])
        return f"[{white}{self.choice(GAPS).join(records)}{white}]"

    def wrapped(self, records: list[str]) -> str:
        others = [
            f'"{name}":{self.value(1)}' for name in self.random.sample(["Count", "page", "NextToken"], 2)
        ]
        key = self.choice(["Items", "Items", "data", "messages", "Records"])
        members = [*others, f'"{key}": {self.array(records)}']
        self.random.shuffle(members)
        return "{" + self.choice([",", ", "]).join(members[self.choice([0, 0, 1]) :]) + "}"

    def alone(self, records: list[str]) -> str:
        return records[0] if records else "{}"

    def record(self, style: int) -> str:
        """0: anything; 1: flat, alike; 2: lists of what looks like a record; 3: pretty; 4: mostly objects."""
        if style == 0 or (style == 4 and self.random.random() < 0.1):
            return self.value(3)
        names = ["id", "data", "n", "kids", "text"]
        if style == 2:
            kids = ",".join(f'{{"id":"{n}","text":{self.string()}}}' for n in range(self.random.randrange(4)))
            return f'{{"id":"{self.random.randrange(99)}","kids":[{kids}]' + self.choice(["}", ',"n":1}'])
        if style == 3:
            return json.dumps({name: self.random.randrange(99) for name in names[:3]}, indent=1)
        depth = 1 if style == 1 else 2
        return "{" + ",".join(f'"{name}":{self.value(depth - 1)}' for name in names) + "}"

    def value(self, depth: int) -> str:
        kind = self.random.randrange(8 if depth > 0 else 5)
        if kind == 0:
            return self.choice(["true", "false", "null", "[]", "{}"])
        if kind < 3:
            return self.choice(NUMBERS)
        if kind < 5:
            return self.string()
        inner = [self.value(depth - 1) for _ in range(self.random.randrange(4))]
        gap = self.choice(GAPS)
        if kind < 7:
            return "[" + gap.join(inner) + "]"
        return "{" + gap.join(f"{self.string()}:{one}" for one in inner) + "}"

    def string(self) -> str:
        text = "".join(self.random.choices(TRICKY, k=self.random.randrange(3)))
        return json.dumps(text, ensure_ascii=self.random.random() < 0.5)

    def mutated(self, data: bytes) -> bytes:
        """One to three bytes dropped, inserted, replaced; an end cut off; a piece doubled or moved away."""
        for _ in range(self.random.randrange(1, 4)):
            at, byte = self.random.randrange(len(data) + 1), self.choice(BYTES)
            span = self.random.randrange(1, 40)
            data = self.choice(
                [
                    data[:at] + data[at + 1 :],
                    data[:at] + byte + data[at:],
                    data[:at] + byte + data[at + 1 :],
                    data[: max(at, 1)],
                    data[:at] + data[max(0, at - span) : at] + data[at:],
                    data[:at] + data[at + span :],
                ]
            )
        return data
