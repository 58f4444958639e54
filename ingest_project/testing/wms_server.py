"""The simulated API on a loopback port, behind the fault server's engine: quotas, latency, faults by script.

``python -m ingest_project.testing.wms_server`` runs one in its own process (wms_command).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Self
from urllib.parse import urlsplit

from aiohttp import web

from ingest_project.testing import fault_answers as answers
from ingest_project.testing import fault_scripts as scripts
from ingest_project.testing.fault_engine import Engine, Outcome
from ingest_project.testing.fault_messages import Call, json_reply
from ingest_project.testing.fault_quotas import Meter, RequestQuota
from ingest_project.testing.fault_scripts import Script
from ingest_project.testing.fault_server import STATS
from ingest_project.testing.wms_api import WmsApi
from ingest_project.testing.wms_control import DOOR, controlled
from ingest_project.testing.wms_faults import Lgf

WELL_BEHAVED = scripts.in_order()


class WmsServer:
    """Serves on a free loopback port while entered; ``url`` is the API's root.

    Args:
        api: What is served.
        script: Which request to the API meets which fault (fault_scripts); tokens meet none.
        quota: Requests a second; 429 with Retry-After beyond it.
        timer: What the meter's seconds are counted with.
        clock: The Date header's; without it the machine's.
    """

    def __init__(
        self,
        api: WmsApi,
        *,
        script: Script = WELL_BEHAVED,
        quota: RequestQuota | None = None,
        timer: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.api, self.host = api, ""
        self._engine = Engine(
            api,
            script=script,
            credentials=None,
            clock=clock,
            delay=0.0,
            quota=None,
            request_quota=quota,
            timer=timer,
            dialect=Lgf(),
            counts=None,
        )
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:41234/demo/wms/lgfapi/v10/``."""
        return f"{self.host}{self.api.root}"

    @property
    def token_url(self) -> str:
        """Where OAuth2 tokens are to be had."""
        return f"{self.host}/{self.api.environment}/api/oauth2/token/"

    @property
    def requests(self) -> int:
        """Requests to the API so far, refused ones too."""
        return self._engine.requests

    @property
    def met(self) -> Counter[str]:
        """Faults met so far, by kind."""
        return self._engine.met

    @property
    def meter(self) -> Meter:
        """Requests and refusals of each second; also ``GET /_faults/stats``."""
        return self._engine.meter

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1."""
        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.1, auto_decompress=False, handler_cancellation=True
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        host, bound = self._runner.addresses[0][:2]
        self.host = f"http://{host}:{bound}"

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        call = Call(request.method, request.raw_path, tuple(request.headers.items()), await request.read())
        path = urlsplit(call.target).path
        if path == STATS:
            return await answers.send(request, json_reply(200, self._engine.record()))
        if path.startswith(f"/{DOOR}/"):
            return await answers.send(request, controlled(self.api, call))
        outcome: Outcome = await self._engine.answer(call)
        return await answers.give(request, outcome)


if __name__ == "__main__":
    from ingest_project.testing.wms_command import main

    main()
