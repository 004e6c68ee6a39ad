"""What can be asked of the agent: the one that changes things. Every question carries a session's token.

An empty token is the unix user root, who is admin. webd passes on the token that the person it serves was given, so
that a taken webd is nobody in particular.
"""

from gemel.control.agent.cluster import (
    AskFingerprints,
    CarpScan,
    EnableCarp,
    Fingerprints,
    MacReport,
    Maintenance,
    Overheard,
    PinPeer,
    ResetDemotion,
    RolesChanged,
    ScanReport,
    SyncNow,
    TestVirtualMac,
)
from gemel.control.agent.configuration import (
    Applied,
    Apply,
    Change,
    Changed,
    Complete,
    Diff,
    Difference,
    DiffReport,
    Discard,
    EditOrder,
    Export,
    Finding,
    Import,
    List,
    Listed,
    Restore,
    RevisionHead,
    Revisions,
    Show,
    Shown,
)
from gemel.control.agent.looking import (
    AskChoices,
    AskFact,
    AskFrame,
    Choices,
    Frame,
    News,
    NewsReport,
    Status,
)
from gemel.control.agent.session import (
    Login,
    Logout,
    LogoutEverywhere,
    Session,
    SetPassword,
)

QUESTIONS = (
    Login, Logout, Show, Change, Diff, Apply, Discard, Revisions, Restore, Export, Import, SetPassword, Status,
    Maintenance, EnableCarp, SyncNow, AskFingerprints, PinPeer, List, Complete, LogoutEverywhere, AskFrame, AskChoices,
    AskFact, News, RolesChanged, CarpScan, ResetDemotion, TestVirtualMac,
)  # fmt: skip

READING = (
    Show, List, Complete, Diff, Revisions, Status, AskFingerprints, AskFrame, AskChoices, Logout, LogoutEverywhere,
    AskFact, News,
)  # fmt: skip
"""What the privilege *read-only* may ask."""

WATCHING = (News,)
"""Asked by pages on their own, without a person: no reason to keep a session open."""

BY_ITSELF = "by-itself:"
"""In front of a token: a page asks on its own. The session is checked as ever, and not kept from running out."""

NO_SESSION = "session"
NO_PRIVILEGE = "privilege"
"""The paths of the problems with which a question is refused for want of a session, or of the right to ask it."""

__all__ = [
    "BY_ITSELF",
    "NO_PRIVILEGE",
    "NO_SESSION",
    "QUESTIONS",
    "READING",
    "WATCHING",
    "Applied",
    "Apply",
    "AskChoices",
    "AskFact",
    "AskFingerprints",
    "AskFrame",
    "CarpScan",
    "Change",
    "Changed",
    "Choices",
    "Complete",
    "Diff",
    "DiffReport",
    "Difference",
    "Discard",
    "EditOrder",
    "EnableCarp",
    "Export",
    "Finding",
    "Fingerprints",
    "Frame",
    "Import",
    "List",
    "Listed",
    "Login",
    "Logout",
    "LogoutEverywhere",
    "MacReport",
    "Maintenance",
    "News",
    "NewsReport",
    "Overheard",
    "PinPeer",
    "ResetDemotion",
    "Restore",
    "RevisionHead",
    "Revisions",
    "RolesChanged",
    "ScanReport",
    "Session",
    "SetPassword",
    "Show",
    "Shown",
    "Status",
    "SyncNow",
    "TestVirtualMac",
]  # fmt: skip
