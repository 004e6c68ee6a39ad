"""Settings that carpd cannot work with are refused in words."""

import dataclasses

import pytest

from gemel.carp.settings import Settings, Vhid, complaints
from gemel.core.codec import decode, encode

from .world import vhid


def test_good_settings_survive_the_codec():
    settings = Settings((vhid(), vhid(device="lan")), demotion={"maintenance": 240}, await_states=30.0)
    assert complaints(settings) == []
    assert decode(Settings, encode(settings)) == settings
    assert decode(Settings, {"vhids": []}) == Settings()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"vhid": 0}, "VHID must be 1 to 255"),
        ({"vhid": 256}, "VHID must be 1 to 255"),
        ({"advbase": 255}, "base must be 0 to 254"),
        ({"advskew": 255}, "skew must be 0 to 254"),
        ({"advbase": 0, "advskew": 0}, "needs a skew"),
        ({"password": ""}, "1 to 19 bytes"),
        ({"password": "ä" * 10}, "1 to 19 bytes"),
        ({"addresses": ()}, "no address"),
        ({"addresses": ("10.0.0.0/24",)}, "10.0.0.0/24"),
        ({"source": "2001:db8::1"}, "2001:db8::1"),
    ],
)
def test_each_mistake_is_named(change, said):
    bad: Vhid = dataclasses.replace(vhid(), **change)
    assert said in " ".join(complaints(Settings((bad,))))


def test_a_vhid_twice_on_one_device_is_refused():
    assert complaints(Settings((vhid(), vhid()))) == ["vhid 1 on wan: given twice"]
    assert complaints(Settings((vhid(), vhid(device="lan")))) == []


def test_demotion_has_limits():
    assert complaints(Settings(demotion={"maintenance": 241})) == ["demotion 'maintenance': 0 to 240 expected"]
