"""What the sender says when something other than a willing peer answers."""

import errno
import ssl
from collections.abc import Mapping

import pytest

from gemel.sync.client import push_now
from gemel.sync.push import NotPushed, Why
from gemel.sync.transport import Judge, Reply, in_words
from gemel.sync.xmlrpc import write_fault, write_response
from tests.unit.sync.world import TARGET, identity, paired


class Answers:
    """A transport to something that always answers the same."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.closed = False

    def dial(self, host: str, port: int, judge: Judge) -> "Answers":
        self._judge = judge
        return self

    def connect(self) -> None:
        self._judge(identity("fw2").der)

    def post(self, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
        return self.reply

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("reply", "why", "said"),
    [
        (Reply(200, b"<!DOCTYPE html><html>Log in</html>"), Why.REFUSED, "with a web page instead of XML-RPC"),
        (Reply(404, b"not found"), Why.REFUSED, "with HTTP status 404 instead of XML-RPC"),
        (Reply(200, b""), Why.REFUSED, "no XML-RPC: an empty body"),
        (Reply(503, b""), Why.AWAY, "busy or being restarted"),
        (Reply(200, write_response("not json")), Why.REFUSED, "what this version does not read"),
        (Reply(200, write_response(True)), Why.REFUSED, "what this version does not read"),
        (Reply(200, write_fault(-32601, "no")), Why.REFUSED, "runs another product, or a version that does not sync"),
        (Reply(200, write_fault(-3, "40 s")), Why.LOGIN, "after too many failed ones: 40 s"),
        (Reply(200, write_fault(-32300, "the agent does not answer")), Why.AWAY, "but the agent does not answer"),
        (Reply(200, write_fault(-32603, "{odd}")), Why.FAILED, "reports a failure of its own: {odd}"),
    ],
)
def test_odd_answers_are_told_in_words(reply: Reply, why: Why, said: str) -> None:
    primary, _ = paired()
    answers = Answers(reply)
    with pytest.raises(NotPushed) as no:
        push_now(primary, TARGET, answers.dial)
    assert no.value.why is why and said in str(no.value) and "172.16.1.3:443" in str(no.value)
    assert answers.closed


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TimeoutError(), "needs a rule that passes TCP from this node to port 443"),
        (ConnectionRefusedError(), "web server (webd) is not running"),
        (ConnectionResetError(), "hung up in the middle"),
        (OSError(errno.EHOSTUNREACH, "No route"), "its cable is out"),
        (OSError(errno.ENETUNREACH, "No net"), "its cable is out"),
        (ssl.SSLError("wrong version"), "does not speak TLS 1.3"),
        (OSError(errno.EACCES, "Denied"), "cannot be reached"),
    ],
)
def test_every_way_not_to_connect_has_cause_and_cure(error: Exception, said: str) -> None:
    assert said in in_words(error, "172.16.1.3:443")


def test_silence_after_the_connection_is_not_blamed_on_the_rules() -> None:
    assert "lets us in but does not answer" in in_words(TimeoutError(), "172.16.1.3:443", reached=True)
