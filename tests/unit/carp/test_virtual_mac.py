"""The nftables text of the virtual MACs. That the kernel takes it, and what it does, is tested in the lab."""

from gemel.rules.virtual_mac import VirtualMac, chain_name, virtual_mac_texts, without_device

WAN = VirtualMac("wan", 200, ("198.51.100.200", "198.51.100.205"))
LAN = VirtualMac("lan", 1, ("192.168.1.1",), advbase=3)


def whole(macs):
    return "".join(virtual_mac_texts(macs).values())


def test_sets_are_never_flushed_and_rules_always():
    texts = virtual_mac_texts([WAN, LAN])
    assert list(texts) == ["", "lan", "wan"]
    assert "flush table netdev" not in whole([WAN, LAN])  # one text must not empty another's chains
    for device, text in texts.items():
        lines = text.splitlines()
        assert not [line for line in lines if line.startswith(("delete", "flush set", "destroy"))]
        for chain in [f"netdev gemel_carp {way}_{device}" for way in ("in", "out")] if device else []:
            assert lines.index(f"flush chain {chain}") < min(
                n for n, line in enumerate(lines) if line.startswith(f"add rule {chain} ")
            )


def test_each_device_has_a_text_of_its_own_which_names_no_other():
    texts = virtual_mac_texts([WAN, LAN])
    assert 'device "lan"' not in texts["wan"] + texts[""] and 'device "wan"' not in texts["lan"] + texts[""]
    assert virtual_mac_texts([WAN, LAN])["lan"] == virtual_mac_texts([LAN])["lan"]
    assert without_device("lan").splitlines() == [
        "flush chain netdev gemel_carp in_lan", "delete chain netdev gemel_carp in_lan",
        "flush chain netdev gemel_carp out_lan", "delete chain netdev gemel_carp out_lan",
    ]  # fmt: skip


def test_own_frames_open_each_mac_a_little_longer_than_the_longest_interval():
    text = whole([WAN, LAN])
    assert "ether saddr { 00:00:5e:00:01:c8 } update @open { meta oif . ether saddr timeout 2250ms }" in text
    assert "ether saddr { 00:00:5e:00:01:01 } update @open { meta oif . ether saddr timeout 4250ms }" in text


def test_a_frame_that_leaves_is_looked_up_once_for_each_lapse_however_many_vhids_there_are():
    macs = [VirtualMac("wan", vhid, (f"198.51.100.{vhid}",), advbase=vhid // 4 + 1) for vhid in (1, 2, 3, 4)]
    rules = [line for line in whole(macs).splitlines() if "update @open" in line]
    assert [rule.partition(" ether ")[2] for rule in rules] == [
        "saddr { 00:00:5e:00:01:01, 00:00:5e:00:01:02, 00:00:5e:00:01:03 } "
        "update @open { meta oif . ether saddr timeout 2250ms }",
        "saddr { 00:00:5e:00:01:04 } update @open { meta oif . ether saddr timeout 3250ms }",
    ]


def test_arp_of_every_address_says_the_virtual_mac():
    text = whole([WAN])
    assert (
        'oifname "wan" arp saddr ether set arp saddr ip map '
        "{ 198.51.100.200 : 00:00:5e:00:01:c8, 198.51.100.205 : 00:00:5e:00:01:c8 }"
    ) in text


def test_an_ipv6_address_has_no_arp_and_the_kernel_does_not_speak_for_it():
    text = whole([VirtualMac("wan", 200, ("198.51.100.200", "2001:db8::1"), own6="2001:db8::2")])
    assert "{ 198.51.100.200 : 00:00:5e:00:01:c8 }" in text
    rule = 'add rule ip6 gemel_carp output oifname "wan" ip6 saddr { 2001:db8::1 } icmpv6 type'
    assert f"{rule} nd-neighbor-advert drop" in text
    assert f"{rule} nd-neighbor-solicit ip6 saddr set 2001:db8::2" in text


def test_order_does_not_matter():
    assert whole([WAN, LAN]) == whole([LAN, WAN])


def test_without_vhids_all_rules_go():
    assert "add rule" not in whole([])


def test_chain_names_fit_nfts_grammar_and_stay_apart():
    assert chain_name("wan") == "wan"
    assert chain_name("eth0.7") == "eth0_2e7"
    assert chain_name("eth0_2e7") == "eth0_5f2e7"
