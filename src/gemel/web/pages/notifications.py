"""System > Advanced > Notifications: the form, and a button that tries what was saved."""

from dataclasses import replace

from starlette.responses import Response

from gemel.areas.notifications import EVENTS, NOTIFICATIONS
from gemel.control.agent import Finding, TestNotification
from gemel.web.form import Field, Option
from gemel.web.pages.area import AreaPages
from gemel.web.visit import Page, Visit

EVENT_WORDS = {
    "role": "Role changes", "sync": "Configuration synchronization", "states": "State synchronization",
    "problem": "Problems", "login": "Logins",
}  # fmt: skip

NOTHING = "Nothing is set up: enter a mail server and an address, or a webhook, and save."


class NotificationPages(AreaPages):
    """Hand-made: the kinds of events as check boxes, and the test. Applied at Save."""

    form_template = "notifications.html"

    def pages(self) -> tuple[Page, ...]:
        return (*super().pages(), Page(f"{self.address}/test", self.test, methods=("POST",)))

    def own_fields(self, visit: Visit) -> dict[str, Field]:
        fields = super().own_fields(visit)
        options = tuple(Option(kind, EVENT_WORDS.get(kind, kind)) for kind in EVENTS)
        return fields | {"events": replace(fields["events"], kind="choices", options=options, help="")}

    def test(self, visit: Visit) -> Response:
        """Send one by every way that is saved, and say how each went."""
        went, wrong = [], []
        for sent in visit.ask(TestNotification()):
            if sent.error:
                wrong.append(Finding("", f"Not sent. {sent.error[:1].upper()}{sent.error[1:]}.", "warning"))
            else:
                went.append(f"A test notification went to {sent.to}.")
        if not went and not wrong:
            wrong = [Finding("", NOTHING, "warning")]
        return visit.go(self.address, " ".join(went), wrong)


PAGES = NotificationPages(NOTIFICATIONS)
