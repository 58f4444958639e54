"""An association that announces each town in a line of its own, ``== FEIRA DE SANTANA ==``."""

from __future__ import annotations

from ingest_project.entities.gazettes.segmenting import Cut, Part


class Bahia:
    association = "2900000"
    state_code = "BA"
    version = "1"

    def cut(self, text: str) -> Cut:
        parts: list[tuple[str, list[str]]] = [("", [])]
        for line in text.splitlines():
            if line.startswith("== "):
                parts.append((line.strip("= "), []))
            else:
                parts[-1][1].append(line)
        return Cut(
            header="",
            parts=[
                Part(names=(name,) if name else (), text="\n".join(lines)) for name, lines in parts if lines
            ],
        )


SEGMENTER = Bahia()
