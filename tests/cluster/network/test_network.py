import dataclasses
import shutil
import subprocess
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cluster.network import Site, SiteInvalid, read_site, render
from router.bundle import Bundle, load_bundle

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "config" / "site.example.yaml"
STARTER = load_bundle(ROOT / "config" / "starter")
OURS = ("10.20.0.0/24", "10.30.0.0/16")


def without_hosted_lanes(bundle: Bundle) -> Bundle:
    return dataclasses.replace(bundle, lanes={name: lane for name, lane in bundle.lanes.items() if not lane.is_hosted})


def policies_of(files: Any) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(files["kubernetes/network-policies.yaml"]))


def lines_of(unit: str, name: str) -> list[str]:
    return [line.partition("=")[2] for line in unit.splitlines() if line.partition("=")[0] == name]


def reach_of_a_node(policies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every peer that some egress rule grants to a pod that is a node."""
    selecting = [
        one["spec"]
        for one in policies
        if one["spec"]["podSelector"] in ({}, {"matchLabels": {"private-lane/role": "node"}})
    ]
    return [peer for spec in selecting for rule in spec.get("egress", []) for peer in rule["to"]]


def test_the_policies_are_what_kubernetes_takes() -> None:
    policies = policies_of(render(STARTER, read_site(EXAMPLE)))

    assert len(policies) >= 5
    for policy in policies:
        kubernetes_validate.validate(policy, "1.37", strict=True)


def test_everything_is_denied_first_in_both_directions() -> None:
    first = policies_of(render(STARTER, read_site(EXAMPLE)))[0]

    assert first["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [], "egress": []}


def test_no_rule_gives_a_node_an_address_only_other_pods() -> None:
    reach = reach_of_a_node(policies_of(render(STARTER, read_site(EXAMPLE))))

    assert reach
    assert all(set(peer) == {"podSelector"} for peer in reach)


def test_the_door_reaches_its_providers_and_nobody_else() -> None:
    door = next(
        one for one in policies_of(render(STARTER, read_site(EXAMPLE))) if one["metadata"]["name"] == "the-door"
    )

    reached = [peer["ipBlock"]["cidr"] for rule in door["spec"]["egress"] for peer in rule["to"]]
    assert reached == ["203.0.113.0/24", "10.20.0.53/32"]


def test_a_bundle_without_hosted_lanes_gets_no_door_at_all() -> None:
    files = render(without_hosted_lanes(STARTER), read_site(EXAMPLE))

    assert "systemd/lane-door.service" not in files
    assert not [one for one in policies_of(files) if "door" in one["metadata"]["name"]]
    assert "203.0.113" not in "".join(files.values())


def test_the_nodes_unit_lets_it_speak_to_nodes_and_callers_alone_and_holds_no_key() -> None:
    unit = render(STARTER, read_site(EXAMPLE))["systemd/lane-node.service"]

    assert lines_of(unit, "IPAddressDeny") == ["any"]
    assert lines_of(unit, "IPAddressAllow") == ["localhost", *OURS]
    assert lines_of(unit, "UnsetEnvironment") == ["OPENAI_API_KEY"]


def test_door_and_node_are_different_users() -> None:
    files = render(STARTER, read_site(EXAMPLE))

    assert lines_of(files["systemd/lane-door.service"], "User") != lines_of(files["systemd/lane-node.service"], "User")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for name, text in render(STARTER, read_site(EXAMPLE)).items():
        if name.endswith(".service"):
            unit = tmp_path / Path(name).name
            unit.write_text(text.replace("/opt/lane/bin/lane", "/bin/true"))  # systemd looks for the program too.
            done = subprocess.run(["systemd-analyze", "verify", str(unit)], check=False, capture_output=True, text=True)
            complaints = [line for line in done.stderr.splitlines() if unit.name in line]
            assert not complaints


@pytest.mark.parametrize(
    ("providers", "says"),
    [
        ({}, "providers.openai: no address"),
        ({"openai": ["0.0.0.0/0"]}, "too wide"),
        ({"openai": ["10.20.0.128/25"]}, "overlaps 10.20.0.0/24, which is ours"),
        ({"openai": ["::/0"]}, "too wide"),
    ],
)
def test_addresses_that_would_undo_the_promise_are_refused(providers: dict[str, Any], says: str) -> None:
    site = Site.model_validate({"nodes": OURS[:1], "clients": OURS[1:], "providers": providers})

    with pytest.raises(SiteInvalid, match=says):
        render(STARTER, site)


@pytest.mark.parametrize(
    ("text", "says"), [("nodes: []", "nodes"), ("nodes: [here]", "nodes.0"), ("a: [", "is not YAML")]
)
def test_a_site_file_that_is_wrong_is_named_with_the_place(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(text)

    with pytest.raises(SiteInvalid, match=says) as refused:
        read_site(file)

    assert str(file) in str(refused.value)


networks = st.integers(0, 2**24 - 1).map(lambda number: ip_network((number << 8, 24)))


@given(nodes=st.lists(networks, min_size=1, max_size=4), providers=st.lists(networks, min_size=1, max_size=4))
def test_whatever_the_site_no_address_of_a_provider_is_granted_to_a_node(nodes: Any, providers: Any) -> None:
    site = Site(nodes=tuple(nodes), providers={"openai": tuple(providers)})
    try:
        files = render(STARTER, site)
    except SiteInvalid:
        assert any(a.overlaps(b) for a in nodes for b in providers)
        return

    granted = [ip_network(one) for one in lines_of(files["systemd/lane-node.service"], "IPAddressAllow")[1:]]
    assert not any(a.overlaps(b) for a in granted for b in providers)
    assert all("ipBlock" not in peer for peer in reach_of_a_node(policies_of(files)))
