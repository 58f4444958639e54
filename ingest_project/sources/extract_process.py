"""One worker process of extract_workers: started, asked for the text of a file, and read when it has died.

Knows no engine and no verdict. One thread uses a worker at a time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

_LAST_WORDS = 2000


class Ended(Exception):
    """The worker is gone."""


class ExtractProcess:
    """A process that runs ``extract_worker``.

    Args:
        settings: Of that module's ``main``.
        folder: Where it may write, in a folder of its own.

    Attributes:
        documents: That it was asked for.
        ready: Its engine was opened.
    """

    def __init__(self, settings: Mapping[str, object], folder: Path) -> None:
        self._home = Path(tempfile.mkdtemp(dir=folder))
        # Opened to append: emptied for each file, it is written from the start again.
        self._words: IO[bytes] = (self._home / "stderr").open("a+b")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ingest_project.sources.extract_worker", json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            cwd=self._home,
            env=_surroundings(str(self._home)),
        )
        self.documents, self.ready = 0, False

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, file: Path, media: str) -> tuple[Mapping[str, Any], bytes]:
        """The worker's answer about one file, and the text where there is one.

        Raises:
            Ended: It did not answer any more.
        """
        self.documents += 1
        try:
            if not self.ready:
                self._line()
                self.ready = True
            os.ftruncate(self._words.fileno(), 0)
            stdin = self._pipe(self._process.stdin)
            stdin.write(json.dumps({"file": str(file.absolute()), "media": media}).encode() + b"\n")
            stdin.flush()
            answer = self._line()
            text = self._pipe(self._process.stdout).read(answer["bytes"])
        except OSError as error:
            raise Ended from error
        if len(text) < answer["bytes"]:
            raise Ended
        return answer, text

    def _line(self) -> Mapping[str, Any]:
        line = self._pipe(self._process.stdout).readline()
        if not line.endswith(b"\n"):
            raise Ended
        answer: Mapping[str, Any] = json.loads(line)
        return answer

    def ended(self) -> tuple[int, str]:
        """Of one that is gone: its exit code, negative for a signal, and its last words."""
        code = self._process.wait()
        size = os.fstat(self._words.fileno()).st_size
        said = os.pread(self._words.fileno(), _LAST_WORDS, max(0, size - _LAST_WORDS))
        return code, " ".join(said.decode("utf-8", "replace").split())

    def kill(self) -> None:
        """End it at once, also while another thread waits for its answer."""
        self._process.kill()

    def close(self) -> None:
        """End it, and remove what it left."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                self._pipe(pipe).close()
            except OSError:
                # Half a request that nobody will read.
                continue
        self._words.close()
        shutil.rmtree(self._home, ignore_errors=True)

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        if pipe is None:
            raise Ended
        return pipe


def _surroundings(home: str) -> Mapping[str, str]:
    """Nothing of ours but where modules are found: an engine that a file takes over learns no secret."""
    path = os.pathsep.join(map(os.path.abspath, sys.path))
    return {"PATH": os.defpath, "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8", "PYTHONPATH": path}
