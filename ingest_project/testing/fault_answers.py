"""How an answer goes out, or does not: whole, cut in the middle, never ending, or as a broken connection."""

from __future__ import annotations

import asyncio

from aiohttp import web
from multidict import CIMultiDict

from ingest_project.testing.fault_engine import Outcome
from ingest_project.testing.fault_messages import Reply
from ingest_project.testing.fault_scripts import CUT, STALLED


async def give(request: web.Request, outcome: Outcome) -> web.StreamResponse:
    """As the outcome says."""
    if outcome.reply is None:
        return broken(request)
    if outcome.seconds:
        await asyncio.sleep(outcome.seconds)
    if outcome.manner == CUT:
        return await cut(request, outcome.reply)
    if outcome.manner == STALLED:
        return await stall(request, outcome.reply)
    return await send(request, outcome.reply)


async def send(request: web.Request, reply: Reply) -> web.StreamResponse:
    """All of it."""
    headers = CIMultiDict(reply.headers)
    if request.method != "HEAD":
        return web.Response(status=reply.status, body=reply.body, headers=headers)
    return web.StreamResponse(status=reply.status, headers=headers)


async def cut(request: web.Request, reply: Reply) -> web.StreamResponse:
    """Half of it, then the connection ends."""
    response = await _half(request, reply)
    if request.transport is not None:
        request.transport.close()
    return response


async def stall(request: web.Request, reply: Reply) -> web.StreamResponse:
    """Half of it, then nothing until the client has gone."""
    response = await _half(request, reply)
    # The server's handlers are cancelled when their client goes.
    await asyncio.Event().wait()
    return response


def broken(request: web.Request) -> web.StreamResponse:
    """Nothing: the connection is reset."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _half(request: web.Request, reply: Reply) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.status, headers=CIMultiDict(reply.headers))
    # One byte more than there is: also an answer without a body can be cut.
    response.content_length = len(reply.body) + 1
    await response.prepare(request)
    await response.write(reply.body[: len(reply.body) // 2])
    return response
