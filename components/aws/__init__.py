"""What the split arrangement is made of, at AWS."""

import warnings

import pulumi_aws

with warnings.catch_warnings():
    # These parts of pulumi-aws 7.51.1 warn of aliases of their own when they load: at first use.
    warnings.filterwarnings("ignore", ".* has been deprecated in favor of", DeprecationWarning)
    _ = pulumi_aws.ec2.Vpc, pulumi_aws.lambda_.Function, pulumi_aws.s3.Bucket
