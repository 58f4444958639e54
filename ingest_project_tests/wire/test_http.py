"""The endpoint: connections kept and bounded, certificates verified, event loops changed."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ingest_project.core.errors import ConfigurationError, PermanentFailure, TransientFailure, Unreachable
from ingest_project.wire.http import Answer, Endpoint, run


class Counter:
    """A server that counts connections and requests at a time."""

    def __init__(self) -> None:
        self.ports: set[int] = set()
        self.inside = self.most = 0
        self.headers: dict[str, str] = {}

    async def handle(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        self.ports.add(request.transport.get_extra_info("peername")[1])
        self.headers = dict(request.headers)
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0.01)
        self.inside -= 1
        return web.Response(body=await request.read())

    @asynccontextmanager
    async def serve(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()


async def send(endpoint: Endpoint, body: bytes = b"x") -> Answer:
    return await endpoint.send("POST", "/a?b=%2C", {"X-One": "1"}, body)


async def test_connections_are_kept_and_never_more_than_allowed() -> None:
    counter = Counter()
    async with counter.serve() as url, Endpoint(url, connections=3) as endpoint:
        for _ in range(3):
            answers = await asyncio.gather(*(send(endpoint, b"%d" % number) for number in range(9)))
            assert [b"%d" % number for number in range(9)] == [answer.body for answer in answers]
    assert (len(counter.ports), counter.most) == (3, 3)


async def test_nothing_is_sent_beside_what_was_signed() -> None:
    counter = Counter()
    async with counter.serve() as url, Endpoint(url) as endpoint:
        await send(endpoint)
    assert {"Host", "X-One", "Content-Length"} == counter.headers.keys()


async def test_small_packets_are_not_held_back() -> None:
    seen: list[int] = []

    class Watched(socket.socket):
        def close(self) -> None:
            if self.fileno() >= 0:
                seen.append(self.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            super().close()

    counter = Counter()
    with pytest.MonkeyPatch.context() as patch:
        async with counter.serve() as url:
            patch.setattr(socket, "socket", Watched)
            async with Endpoint(url) as endpoint:
                await send(endpoint)
            await asyncio.sleep(0.05)
    assert seen
    assert all(seen)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "cert.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return public, private


async def test_a_certificate_that_nobody_vouches_for_is_refused_and_ones_own_authority_is_taken(
    tmp_path: Path,
) -> None:
    public, private = certificate(tmp_path)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(public, private)
    trusting = ssl.create_default_context(cafile=str(public))
    async with Counter().serve(serving) as url:
        async with Endpoint(url) as endpoint:
            with pytest.raises(PermanentFailure, match="certificate not trusted"):
                await send(endpoint)
        async with Endpoint(url, tls=trusting) as endpoint:
            assert (await send(endpoint)).body == b"x"


async def test_a_server_that_does_not_speak_tls_is_a_matter_of_configuration() -> None:
    async with Counter().serve() as url, Endpoint(url.replace("http:", "https:")) as endpoint:
        with pytest.raises(PermanentFailure, match="TLS"):
            await send(endpoint)


async def test_no_connection_is_told_from_no_answer() -> None:
    async with Counter().serve() as url:
        pass
    async with Endpoint(url) as endpoint:
        with pytest.raises(Unreachable, match="ConnectionRefusedError"):
            await send(endpoint)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server, Endpoint(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as endpoint:
        with pytest.raises(TransientFailure) as caught:
            await send(endpoint)
    assert not isinstance(caught.value, Unreachable)


async def test_a_closed_endpoint_opens_again() -> None:
    async with Counter().serve() as url:
        endpoint = Endpoint(url + "/")
        await send(endpoint)
        await endpoint.aclose()
        assert (await send(endpoint)).status == 200
        await endpoint.aclose()


def test_one_endpoint_serves_several_loops_one_after_the_other() -> None:
    async def main(endpoint_of: list[Endpoint]) -> bytes:
        async with Counter().serve() as url:
            endpoint_of[0].url = url
            async with endpoint_of[0]:
                return (await send(endpoint_of[0])).body

    shared = [Endpoint("http://127.0.0.1:1")]
    assert [run(lambda: main(shared)) for _ in range(2)] == [b"x", b"x"]


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://127.0.0.1"])
def test_what_is_no_http_address_is_said_so(url: str) -> None:
    with pytest.raises(ConfigurationError, match="expected http"):
        Endpoint(url)


def test_importing_the_sinks_loads_no_http_client_and_no_vendor() -> None:
    code = (
        "import sys, ingest_project.sinks.dynamodb, ingest_project.sinks.opensearch;"
        "print(sorted({'aiohttp','boto3','botocore','dagster','opensearchpy','uvloop'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
