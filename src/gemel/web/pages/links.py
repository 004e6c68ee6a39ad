"""Interfaces > VLANs, LAGGs, Bridges: the forms name the network devices that there are."""

from dataclasses import replace

from gemel.areas.links import BONDS, BRIDGES, VLANS
from gemel.web.form import Field
from gemel.web.pages.area import AreaPages
from gemel.web.visit import Visit

OVER_DEVICES = ("parent", "members")


class LinkPages(AreaPages):
    """What can be typed into a field for devices is said below it. Typed, because a port may be plugged in later."""

    def fields(self, visit: Visit) -> dict[str, Field]:
        fields = super().fields(visit)
        free = ", ".join(visit.choices.devices) or "none"
        return fields | {
            n: replace(fields[n], help=f"{fields[n].help} Not assigned: {free}.") for n in OVER_DEVICES if n in fields
        }


PAGES = tuple(LinkPages(area) for area in (VLANS, BONDS, BRIDGES))
