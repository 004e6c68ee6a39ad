"""System > High Avail. Sync, with the recipe's field labels word for word."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gemel.areas.high_availability import BOXES, HIGH_AVAILABILITY
from gemel.web.form import Field, Option
from gemel.web.pages.area import AreaPages
from gemel.web.visit import Visit


class HighAvailabilityPages(AreaPages):
    """Hand-made: two sections, the areas as check boxes. Applied at Save."""

    form_template = "high_availability.html"

    def own_fields(self, visit: Visit) -> dict[str, Field]:
        fields = super().own_fields(visit)
        return fields | {
            "synchronize_states": replace(fields["synchronize_states"], label="Synchronize States"),
            "areas": replace(
                fields["areas"], kind="choices", options=tuple(Option(k, w) for k, w in BOXES.items()), help=""
            ),
        }

    def beside_form(self, visit: Visit, values: Mapping[str, Any]) -> dict[str, Any]:
        return {"role": visit.frame.role}


PAGES = HighAvailabilityPages(HIGH_AVAILABILITY)
