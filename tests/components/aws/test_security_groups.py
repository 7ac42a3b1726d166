"""Address and port of an endpoint's URL. No cloud."""

import pytest

from components.aws.security_groups import cidr_of, port_of


@pytest.mark.parametrize(
    ("url", "address", "number"),
    [
        ("https://api.example.com/v1", "0.0.0.0/0", 443),
        ("http://api.example.com/v1", "0.0.0.0/0", 80),
        ("https://api.example.com:8443/v1", "0.0.0.0/0", 8443),
        ("http://10.20.3.4:8000/v1", "10.20.3.4/32", 8000),
        ("https://10.20.3.4/v1", "10.20.3.4/32", 443),
    ],
)
def test_a_url_says_which_address_and_port(url: str, address: str, number: int) -> None:
    assert (cidr_of(url), port_of(url)) == (address, number)
