"""split: the range of the network, which a person may choose."""

from components.aws.network import CIDR
from components.aws.subnets import free, is_range, overlapped, unusable
from stacks.errors import SettingsError
from stacks.settings import Settings


def network_range(settings: Settings) -> str:
    """The network's range, which overlaps none that it is to be joined with.

    Raises:
        SettingsError: it is none, or overlaps.
    """
    cidr, peers = settings.network_cidr or CIDR, settings.network_peers
    for peer in peers:
        if not is_range(peer):
            rule = "each must be a range of IPv4 addresses that begins where its length says"
            raise SettingsError("network_peers", repr(peer), rule, "10.0.0.0/16,172.31.0.0/16")
    if rule := unusable(cidr):
        raise SettingsError("network_cidr", repr(cidr), rule, free(peers) or CIDR)
    if peer := overlapped(cidr, peers):
        rule = f"it must not overlap {peer} of network_peers"
        raise SettingsError("network_cidr", repr(cidr), rule, free(peers) or "CIDR")
    return cidr
