"""Everything that is done through boto3: buckets of Amazon S3 and of servers that speak as it does.

Nothing else imports boto3. Endpoint, region and credentials come from the SDK's own chain
(``AWS_ENDPOINT_URL_S3``, ``AWS_ACCESS_KEY_ID``, ``~/.aws``, a role); no setting of ours holds them.
"""

from tasks.objects.bucket import Bucket, Facts
from tasks.objects.copies import local_copy

__all__ = ["Bucket", "Facts", "local_copy"]
