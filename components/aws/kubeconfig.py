"""How a client reaches an EKS cluster."""

import json

import pulumi
from pulumi_aws import eks


def kubeconfig(cluster: eks.Cluster, region: str) -> pulumi.Output[str]:
    """A kubeconfig without a secret: the AWS CLI, on PATH, makes a token at every use."""

    def document(facts: list[str]) -> str:
        name, endpoint, authority = facts
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {
                        "name": name,
                        "cluster": {"server": endpoint, "certificate-authority-data": authority},
                    }
                ],
                "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
                "current-context": name,
                "users": [
                    {
                        "name": name,
                        "user": {
                            "exec": {
                                "apiVersion": "client.authentication.k8s.io/v1beta1",
                                "command": "aws",
                                "args": [
                                    *("eks", "get-token", "--cluster-name", name),
                                    *("--region", region),
                                ],
                                "interactiveMode": "Never",
                            }
                        },
                    }
                ],
            }
        )

    return pulumi.Output.all(
        cluster.name, cluster.endpoint, cluster.certificate_authority.apply(lambda c: c.data)
    ).apply(document)
