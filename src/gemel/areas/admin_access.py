"""System > Advanced > Admin Access: how people come in to this node's pages. Stays on each node; applied at Save."""

from gemel.core.area import Area
from gemel.core.model import Model, field


class AdminAccess(Model):
    """The fields of the page, in its order."""

    session_timeout: int = field(
        240,
        label="Session timeout",
        help="Minutes without a click after which one has to log in again, 1 to 1440. What a page loads by itself does "
        "not count.",
        ge=1,
        le=1440,
    )


ADMIN_ACCESS = Area(
    name="admin_access",
    label="Admin Access",
    noun="admin-access",
    model=AdminAccess,
    help="How people come in to this node's pages.",
    availability="local",
    at_save=True,
)
