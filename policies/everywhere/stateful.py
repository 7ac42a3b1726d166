"""Types of resources that hold what nobody can make again."""

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
"""A policy knows types, never components: a test compares this table with the arrangements'."""
