"""A new area gets its list, form and menu place from its model; a small one shows it."""

from dataclasses import dataclass
from typing import Any, Literal

from starlette.applications import Starlette

from gemel.areas.every import AREAS
from gemel.areas.fields import InterfaceRef, Line, PortSpec
from gemel.areas.names import names_of
from gemel.control import agent as ask
from gemel.control.door import Refused
from gemel.core.area import Area
from gemel.core.config import Config, Schema
from gemel.core.edit import Edit, edited
from gemel.core.model import Item, Model, field
from gemel.core.problem import Invalid
from gemel.daemons.agent.lists import choices, listed
from gemel.web.menu import place, title
from gemel.web.pages.area import AreaPages
from gemel.web.security import COOKIE, csrf_token
from gemel.web.site import Site
from tests.unit.areas.cluster import primary
from tests.unit.web.browser import Browser


class Bell(Item):
    """Something that rings."""

    interface: InterfaceRef = field(label="Where", help="On which network.")
    tune: Literal["high", "low"] = field("high", label="Tune", help="How it sounds.")
    times: int = field(3, label="Times", help="How often.", ge=1, le=9)
    listens: PortSpec = field("", label="Listens on", help="A port.")
    guests: tuple[Line, ...] = field((), label="Guests", help="Who may ring.")
    disabled: bool = field(False, label="Disabled", help="Silent.")
    code: str = field("", label="Door code", help="Nobody sees it.", secret=True)


class Bells(Model):
    """All of them."""

    items: tuple[Bell, ...] = ()


BELLS = Area("bells", "Bells", "bell", Bells, "What rings.", "local", item=Bell, ordered=True,
             columns=("interface", "tune", "times"))  # fmt: skip
SCHEMA = Schema((*AREAS, BELLS), names=names_of)


@dataclass
class Desk:
    """Only as much of an agent as the pages of one area need."""

    config: Config

    def __call__(self, question: Any, /) -> Any:
        match question:
            case ask.AskFrame():
                return ask.Frame("fw1", "standalone", "boss", ("all",), 1, {}, (), "", ())
            case ask.AskChoices():
                return choices(self.config, ())
            case ask.List():
                return listed(SCHEMA, self.config, question, False)
            case ask.Change():
                return self._change(question)
        raise AssertionError(question)

    def _change(self, question: ask.Change) -> ask.Changed:
        try:
            for o in question.edits:
                verb: Any = o.verb
                edit = Edit(o.area, verb, o.item, o.values, o.position, o.etag)
                self.config = edited(SCHEMA, self.config, edit).config
        except Invalid as error:
            problems = [{"path": p.path, "text": p.text, "level": p.level} for p in error.problems]
            raise Refused("not accepted", problems) from None
        return ask.Changed(("x",), (), 0)


def test_from_a_model_to_its_pages() -> None:
    desk = Desk(primary().having(bells=Bells()))
    site = Site(desk)
    browser = Browser(Starlette(routes=site.routes(AreaPages(BELLS).pages())), {COOKIE: "token"}, csrf_token("token"))
    address = place("bells")
    assert (address, title("bells", "Bells")) == ("/services/bells", ("Services", "Bells"))
    assert "There is nothing here yet. Click Add to make the first. What rings." in browser.get(address).words
    form = browser.get(f"{address}/new")
    for word in ("Where", "Tune", "How it sounds.", "Times", "Guests", "One per line.", "Door code", "Random password"):
        assert word in form.words
    assert form.value("times") == "3" and form.chosen("tune") == "high" and "LAN" in form.choices("interface")
    said = {"interface": "lan", "tune": "low", "times": "12", "listens": "22", "guests": "ann\nbob\n", "code": "7"}
    page = browser.post(f"{address}/new", **said, code__again="7")
    assert page.wrong("times") and page.value("times") == "12"
    page = browser.post(f"{address}/new", **said | {"times": "2"}, code__again="7")
    assert page.address == address and "LAN low 2" in page.words
    bell = desk.config[BELLS].items[0]
    assert (bell.guests, bell.listens, bell.code) == (("ann", "bob"), "22", "7")
    browser.post(address, do=f"toggle:{bell.id}")
    assert desk.config[BELLS].items[0].disabled
    browser.post(address, do=f"delete:{bell.id}")
    assert desk.config[BELLS].items == ()
