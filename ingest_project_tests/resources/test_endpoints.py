"""The remote-write guard: what counts as this machine, and how a remote target is allowed by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.errors import ConfigurationError, RemoteWriteRefused
from ingest_project.resources.endpoints import (
    Endpoint,
    Service,
    is_loopback,
    parse_allowed,
    parse_endpoint,
    require_write,
    write_target,
)

HOSTILE_HOSTS = [
    "localhost.evil.com",
    "127.0.0.1.evil.com",
    "127.evil.com",
    "127.0.0.1.nip.io",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.0.0.01",
    "0.0.0.0",
    "128.0.0.1",
    "10.0.0.1",
    "localhost.",
    "localhost.localdomain",
    "local",
    "localhost6",
    "evil-localhost",
    "[::]",
    "[::2]",
    "[::ffff:127.0.0.1]",
    "[fe80::1]",
    "s3.amazonaws.com",
    "dynamodb.us-east-1.amazonaws.com",
]

HOSTILE_URLS = [
    "http://127.0.0.1@evil.com",
    "http://localhost:80@evil.com/",
    "http://evil.com#@127.0.0.1",
    "http://evil.com\\@127.0.0.1",
    "http://127.0.0.1\\.evil.com",
    "http://127.0.0.1%2eevil.com",
    "http://127.0.0.1 .evil.com",
    "http://127.0.0.1\n.evil.com",
    "http://127.0.0.1/../evil",
    "http://127.0.0.1:8000/path",
    "http://127.0.0.1?host=evil.com",
    "http://127.0.0.1:",
    "http://127.0.0.1:0",
    "http://127.0.0.1:65536",
    "http://127.0.0.1:8000:9000",
    "http://[::1",
    "http://[::1]evil.com",
    "http://[::1%25eth0]",
    "http://[:::1]",
    "//127.0.0.1",
    "127.0.0.1:8000",
    "ftp://127.0.0.1",
    "file:///etc/passwd",
    "http://",
    "http://１２７.0.0.1",
    "http://lоcalhost",  # the second letter is Cyrillic
]


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000",
        "http://LOCALHOST",
        "http://127.0.0.1",
        "https://127.255.3.9:4566/",
        "http://[::1]:9200",
        "http://[0:0:0:0:0:0:0:1]:9200",
    ],
)
def test_loopback_is_localhost_127_and_the_ipv6_one(url: str) -> None:
    assert parse_endpoint(url, "X").is_loopback


@pytest.mark.parametrize("host", HOSTILE_HOSTS)
def test_a_host_that_only_looks_local_is_remote(host: str) -> None:
    endpoint = parse_endpoint(f"http://{host}:8000", "X")
    assert not endpoint.is_loopback
    with pytest.raises(RemoteWriteRefused):
        require_write("dynamodb", endpoint, "us-east-1", "messages", frozenset())


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_an_address_that_two_parsers_could_read_differently_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="AWS_ENDPOINT_URL_S3"):
        parse_endpoint(url, "AWS_ENDPOINT_URL_S3")


def test_the_refusal_of_an_address_does_not_repeat_its_password() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_endpoint("https://user:hunter2@host", "AWS_ENDPOINT_URL_S3")
    assert "hunter2" not in str(caught.value)


@given(st.text(max_size=40))
def test_no_text_but_the_three_forms_is_loopback(text: str) -> None:
    if is_loopback(text):
        octets = text.split(".")
        dotted = octets[0] == "127" and len(octets) == 4 and all(part.isdigit() for part in octets)
        assert dotted or text.lower() == "localhost" or text.startswith("[")


@pytest.mark.parametrize(
    ("service", "url", "target"),
    [
        ("s3", None, "s3:data"),
        ("s3", "https://s3.eu-west-1.amazonaws.com", "s3:data"),
        ("s3", "https://s3.eu-central-1.amazonaws.com", "s3:s3.eu-central-1.amazonaws.com/data"),
        ("s3", "http://minio:9000", "s3:minio:9000/data"),
        ("s3", "http://[2001:db8::1]:9000", "s3:[2001:db8::1]:9000/data"),
        ("dynamodb", None, "dynamodb:eu-west-1/data"),
        ("dynamodb", "https://dynamodb.eu-west-1.amazonaws.com:443", "dynamodb:eu-west-1/data"),
        (
            "dynamodb",
            "http://dynamodb.eu-west-1.amazonaws.com",
            "dynamodb:dynamodb.eu-west-1.amazonaws.com/data",
        ),
        ("opensearch", "https://search.example.org", "opensearch:search.example.org"),
        ("opensearch", "https://Search.Example.org:9200", "opensearch:search.example.org:9200"),
    ],
)
def test_the_message_names_exactly_what_would_allow_the_write(
    service: Service, url: str | None, target: str
) -> None:
    endpoint = parse_endpoint(url, "X") if url else None
    assert write_target(service, endpoint, "eu-west-1", "data") == target
    with pytest.raises(RemoteWriteRefused) as caught:
        require_write(service, endpoint, "eu-west-1", "data", frozenset())
    assert f"add {target} to INGEST_ALLOW_REMOTE_WRITES" in str(caught.value)
    require_write(service, endpoint, "eu-west-1", "data", parse_allowed(f" {target} , s3:other"))


@pytest.mark.parametrize(
    ("service", "name", "allowed"),
    [
        ("dynamodb", "messages", "dynamodb:eu-west-1/messages"),
        ("dynamodb", "messages", "dynamodb:us-east-1/message"),
        ("dynamodb", "messages", "s3:messages"),
        ("dynamodb", "arn:aws:dynamodb:us-east-1:1:table/messages", "dynamodb:us-east-1/*"),
        ("dynamodb", "", "dynamodb:us-east-1/*"),
        ("s3", "data", "s3:data-other"),
        ("s3", "data", "dynamodb:us-east-1/data"),
        ("opensearch", "data", "opensearch:other.example.org"),
    ],
)
def test_permission_for_one_target_is_none_for_another(service: Service, name: str, allowed: str) -> None:
    endpoint = (
        Endpoint(scheme="https", host="search.example.org", port=443) if service == "opensearch" else None
    )
    with pytest.raises(RemoteWriteRefused):
        require_write(service, endpoint, "us-east-1", name, parse_allowed(allowed))


def test_a_star_allows_every_table_of_one_region() -> None:
    allowed = parse_allowed("dynamodb:us-east-1/*")
    require_write("dynamodb", None, "us-east-1", "anything.at_all-1", allowed)
    with pytest.raises(RemoteWriteRefused):
        require_write("dynamodb", None, "us-east-2", "anything", allowed)


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "s3:*",
        "s3",
        "dynamodb:messages",
        "dynamodb:us-east-1/",
        "sqs:x",
        "true",
        "1",
        "s3:a b",
        "opensearch:*",
    ],
)
def test_an_allowed_entry_that_names_no_target_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="INGEST_ALLOW_REMOTE_WRITES"):
        parse_allowed(text)
