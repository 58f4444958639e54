"""The signer against botocore's own, and what it does when keys or clocks change."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.errors import ConfigurationError
from ingest_project.sinks.signing import (
    Credentials,
    Keys,
    Shape,
    Signer,
    StaticCredentials,
    chain_credentials,
)

WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)
SECRET = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), min_size=1)
NAME = st.from_regex(r"[a-z][a-z0-9-]{0,15}", fullmatch=True)
HEADER = NAME.filter(
    lambda name: name not in ("authorization", "date", "expect", "host", "user-agent", "transfer-encoding")
)
PATH = st.lists(st.text(max_size=6) | st.sampled_from(["", ".", "..", "a b"]), max_size=4)
PAIRS = st.lists(st.tuples(st.text(min_size=1, max_size=5), st.text(max_size=5)), max_size=4)


class Rotating:
    """Credentials whose keys change when a test says so."""

    def __init__(self, keys: StaticCredentials) -> None:
        self.keys = keys

    def get_frozen_credentials(self) -> Keys:
        return self.keys


def expected_headers(
    shape: Shape, body: bytes, keys: StaticCredentials, region: str, service: str, moment: float
) -> dict[str, str]:
    """What botocore sends: its own canonical request, with our second instead of its clock."""
    stamp = datetime.fromtimestamp(int(moment), UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = dict(shape.headers) | {"X-Amz-Date": stamp}
    if keys.token:
        headers["X-Amz-Security-Token"] = keys.token
    request = AWSRequest(method=shape.method, url=shape.url, headers=headers, data=body)
    request.context["timestamp"] = stamp
    signer = SigV4Auth(BotocoreCredentials(keys.access_key, keys.secret_key, keys.token), service, region)
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    names = signer.signed_headers(signer.headers_to_sign(request))
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={names}, Signature={signature}"
    )
    return {name.lower(): value for name, value in headers.items()}


def signed(signer: Signer, shape: Shape, body: bytes) -> dict[str, str]:
    return {name.lower(): value for name, value in signer.sign(shape, body).items()}


@given(
    method=st.sampled_from(["GET", "POST", "PUT"]),
    host=st.sampled_from(["a.example", "a.example:443", "a.example:8000", "[::1]:9200", "127.0.0.1"]),
    scheme=st.sampled_from(["http", "https"]),
    path=PATH,
    pairs=PAIRS,
    headers=st.dictionaries(HEADER, WORD | st.just("a  b   c"), max_size=4),
    keys=st.builds(StaticCredentials, access_key=NAME, secret_key=SECRET, token=st.none() | WORD),
    region=NAME,
    service=NAME,
    bodies=st.lists(st.binary(max_size=200), min_size=1, max_size=3),
    moment=st.floats(0, 4e9),
)
def test_every_signature_equals_botocores(
    method: str,
    host: str,
    scheme: str,
    path: list[str],
    pairs: list[tuple[str, str]],
    headers: dict[str, str],
    keys: StaticCredentials,
    region: str,
    service: str,
    bodies: list[bytes],
    moment: float,
) -> None:
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)
    url = f"{scheme}://{host}/" + "/".join(quote(part, safe="") for part in path)
    shape = Shape(method=method, url=url + ("?" + query if query else ""), headers=tuple(headers.items()))
    signer = Signer(keys, region=region, service=service, now=lambda: moment)
    for body in bodies:
        expected = expected_headers(shape, body, keys, region, service, moment)
        assert expected == signed(signer, shape, body)


SHAPE = Shape(method="POST", url="http://127.0.0.1:8000/", headers=(("Content-Type", "text/plain"),))
KEYS = StaticCredentials(access_key="one", secret_key="secret")
OTHERS = StaticCredentials(access_key="two", secret_key="other", token="session")


def signer_of(credentials: Credentials, clock: list[float]) -> Signer:
    return Signer(credentials, region="eu-west-1", service="dynamodb", now=lambda: clock[0])


def test_a_new_day_gets_a_new_signing_key() -> None:
    clock = [86_399.0]
    signer = signer_of(KEYS, clock)
    for moment in (86_399.0, 86_399.5, 86_400.0, 200_000.0):
        clock[0] = moment
        expected = expected_headers(SHAPE, b"x", KEYS, "eu-west-1", "dynamodb", moment)
        assert expected == signed(signer, SHAPE, b"x")


async def test_refreshed_credentials_are_taken_over_within_a_minute() -> None:
    clock, credentials = [1000.0], Rotating(KEYS)
    signer = signer_of(credentials, clock)
    await signer.fresh()
    credentials.keys = OTHERS
    clock[0] += 59
    await signer.fresh()
    assert "Credential=one/" in signer.sign(SHAPE, b"")["Authorization"]
    clock[0] += 2
    await signer.fresh()
    expected = expected_headers(SHAPE, b"", OTHERS, "eu-west-1", "dynamodb", clock[0])
    assert expected == signed(signer, SHAPE, b"")


def test_an_offset_moves_the_signatures_clock() -> None:
    signer = signer_of(KEYS, [1000.0])
    signer.offset = 600.0
    assert signer.sign(SHAPE, b"")["X-Amz-Date"] == "19700101T002640Z"


def test_many_shapes_do_not_pile_up() -> None:
    signer = signer_of(KEYS, [1000.0])
    for number in range(1000):
        signer.sign(Shape(method="GET", url=f"http://127.0.0.1/{number}"), b"")
    assert len(signer._prepared) <= 256


def test_no_credentials_anywhere_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="no AWS credentials"):
        chain_credentials()


def test_the_chain_finds_the_keys_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "from-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert signer_of(chain_credentials(), [0.0]).keys.access_key == "from-environment"


def test_empty_keys_are_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="no access key"):
        signer_of(StaticCredentials(access_key="", secret_key=""), [0.0]).renew()


@pytest.mark.parametrize(
    ("shape", "keys"),
    [
        (Shape(method="POST", url=SHAPE.url, headers=(("X", "a\nB: c"),)), KEYS),
        (SHAPE, StaticCredentials(access_key="a\r\nB: c", secret_key="s")),
        (SHAPE, StaticCredentials(access_key="a", secret_key="s", token="t\n")),
    ],
)
def test_nothing_that_is_signed_breaks_out_of_its_line(shape: Shape, keys: StaticCredentials) -> None:
    with pytest.raises(ConfigurationError, match="line break"):
        signer_of(keys, [1000.0]).lines(shape, b"")


def test_lines_of_a_head_say_what_the_headers_say() -> None:
    signer = signer_of(OTHERS, [1000.0])
    for body in (b"", b"x"):
        headers = signer.sign(SHAPE, body)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        assert lines.encode() == signer.lines(SHAPE, body)
