"""The notifications of S3.

After docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
(read 2026-11-22): the key is URL-encoded, a blank as `+`.
"""

import json
from urllib.parse import quote_plus


def notification(bucket: str, *keys: str, event: str = "ObjectCreated:Put") -> str:
    """The message about objects."""
    return json.dumps(
        {
            "Records": [
                {
                    "eventVersion": "2.1",
                    "eventSource": "aws:s3",
                    "awsRegion": "us-east-1",
                    "eventTime": "2026-11-22T07:00:00.000Z",
                    "eventName": event,
                    "userIdentity": {"principalId": "AWS:AROATEST"},
                    "requestParameters": {"sourceIPAddress": "192.0.2.1"},
                    "responseElements": {
                        "x-amz-request-id": "0123456789ABCDEF",
                        "x-amz-id-2": "of/a+test=",
                    },
                    "s3": {
                        "s3SchemaVersion": "1.0",
                        "configurationId": "tf-s3-queue",
                        "bucket": {
                            "name": bucket,
                            "ownerIdentity": {"principalId": "A0123456789"},
                            "arn": f"arn:aws:s3:::{bucket}",
                        },
                        "object": {
                            "key": quote_plus(key),
                            "size": 1024,
                            "eTag": "00000000000000000000000000000000",
                            "versionId": "version.of-a_test",
                            "sequencer": "0000000000000001",
                        },
                    },
                }
                for key in keys
            ]
        }
    )


TEST_EVENT = json.dumps(
    {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": "2014-10-13T15:57:02.089Z",
        "Bucket": "bucketname",
        "RequestId": "5582815E1AEA5ADF",
        "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
    }
)
"""The test message of S3."""
