"""split: the CIDR and the zones of the network."""

from components.aws.network import CIDR, ZONES
from components.aws.subnets import free, overlapped, unusable
from stacks.config import StackConfig
from stacks.errors import ConfigError


def network_zones(config: StackConfig) -> tuple[str, ...]:
    """Letters of the network's zones, that of the GPU nodes first."""
    return tuple(config.network_zones.split(",")) if config.network_zones else ZONES


def network_cidr(config: StackConfig) -> str:
    """The network's CIDR, which overlaps none of `network_peers`.

    Raises:
        ConfigError: it is not usable, or overlaps.
    """
    cidr, peers = config.network_cidr or CIDR, [str(peer) for peer in config.network_peers]
    rule = unusable(cidr)
    if not rule and (peer := overlapped(cidr, peers)):
        rule = f"it must not overlap {peer} of network_peers"
    if rule and not (example := free(peers)):
        rule = "they leave no private range for network_cidr: name only networks that are peered"
        raise ConfigError("network_peers", repr(", ".join(peers)), rule, "")
    if rule:
        raise ConfigError("network_cidr", repr(cidr), rule, example)
    return cidr
