"""Create a bucket unless it is there; endpoint and credentials are the SDK's own variables."""

import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

_THERE = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


def main(name: str) -> None:
    """Create the bucket ``name``."""
    client = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
    try:
        client.create_bucket(Bucket=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _THERE:
            raise


if __name__ == "__main__":
    main(sys.argv[1])
