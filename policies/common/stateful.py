"""Types of the resources that hold data, or the keys to it.

Rule X-01, plan differences and `up` use this list. It includes file systems that hold only model
weights here, because the type does not show what a file system holds.
"""

STATEFUL = frozenset(
    {
        "aws:dynamodb/table:Table",
        "aws:ebs/volume:Volume",
        "aws:efs/fileSystem:FileSystem",
        "aws:kms/key:Key",
        "aws:rds/cluster:Cluster",
        "aws:rds/instance:Instance",
        "aws:s3/bucket:Bucket",
        "aws:s3/bucketV2:BucketV2",
        "digitalocean:index/databaseCluster:DatabaseCluster",
        "digitalocean:index/databaseDb:DatabaseDb",
        "digitalocean:index/nfs:Nfs",
        "digitalocean:index/spacesBucket:SpacesBucket",
        "digitalocean:index/volume:Volume",
        "pulumi-python:dynamic/local:Folder",
        "pulumi-python:dynamic/local:PostgresServer",
    }
)
