"""Makes a bucket on the embedded S3 server and proves that it stores. For loopback servers only."""

from __future__ import annotations

from collections.abc import Callable

from ingest_project.core.errors import TransientFailure
from ingest_project.core.ports import Clock
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY

_PROBE = ".ingest-probe"


def ensure_bucket(
    endpoint: str, bucket: str, *, deadline: float, clock: Clock, sleep: Callable[[float], None]
) -> None:
    """Create the bucket when it is missing, and write and read one probe object: an empty one
    would not touch the volumes, which come up last.

    Raises:
        TransientFailure: It could not be done before ``deadline``.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=10, proxies={}),
    )
    try:
        while True:
            try:
                if bucket not in {entry["Name"] for entry in client.list_buckets()["Buckets"]}:
                    client.create_bucket(Bucket=bucket)
                client.put_object(Bucket=bucket, Key=_PROBE, Body=b"probe")
                client.get_object(Bucket=bucket, Key=_PROBE)["Body"].read()
                client.delete_object(Bucket=bucket, Key=_PROBE)
                return
            except (BotoCoreError, ClientError) as error:
                if clock() >= deadline:
                    raise TransientFailure(f"bucket {bucket} on {endpoint} takes no data: {error}") from error
                sleep(0.2)
    finally:
        client.close()
