"""All rules, grouped by cloud."""

from policies.aws import (
    batch_failures,
    bucket_access,
    bucket_transport,
    database_access,
    database_encryption,
    dead_letters,
    function_environment,
    ingress,
    permissions,
    visibility,
)
from policies.common import plain_secrets, protection
from policies.digitalocean import bucket_access as spaces_access
from policies.digitalocean import bucket_keys, database_firewall, database_transport, gpu_pool
from policies.kubernetes import (
    drain,
    exposure,
    isolation,
    model_server,
    privileges,
    resources,
    user,
)
from policies.rule import Rule

RULES: tuple[Rule, ...] = (
    bucket_access.RULE,
    bucket_transport.RULE,
    dead_letters.RULE,
    visibility.RULE,
    batch_failures.RULE,
    function_environment.RULE,
    database_access.RULE,
    database_encryption.RULE,
    ingress.RULE,
    permissions.RULE,
    spaces_access.RULE,
    bucket_keys.RULE,
    database_firewall.RULE,
    database_transport.RULE,
    gpu_pool.RULE,
    user.RULE,
    privileges.RULE,
    resources.RULE,
    isolation.RULE,
    exposure.RULE,
    drain.RULE,
    model_server.RULE,
    protection.RULE,
    plain_secrets.RULE,
)
