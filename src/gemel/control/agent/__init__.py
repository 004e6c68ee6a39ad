"""What can be asked of the agent: the one that changes things. Every question carries a session's token.

An empty token is the unix user root, who is admin. webd passes on the token that the person it serves was given, so
that a taken webd is nobody in particular.
"""

from gemel.control.agent.accounts import (
    KEY_PREFIX,
    AskAccount,
    AskSetup,
    ChangePassword,
    ConfirmTotp,
    EndTotp,
    KeyMade,
    Keys,
    KeyShown,
    LoginCode,
    MakeKey,
    OwnAccount,
    RecoveryCodes,
    ResetTotp,
    RevokeKey,
    SetUp,
    SetupCode,
    SetupCodeGiven,
    StartTotp,
    TotpSecret,
)
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
from gemel.control.agent.diagnostics import (
    AskRun,
    AskRuns,
    AskSources,
    Capture,
    Piece,
    Ping,
    ReadCapture,
    Run,
    SourceChoice,
    StopRun,
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
    Ping, Capture, AskRun, AskRuns, StopRun, ReadCapture, AskSources,
    LoginCode, AskSetup, SetupCode, SetUp, AskAccount, ChangePassword, StartTotp, ConfirmTotp, EndTotp, ResetTotp,
    Keys, MakeKey, RevokeKey,
)  # fmt: skip

READING = (
    Show, List, Complete, Diff, Revisions, Status, AskFingerprints, AskFrame, AskChoices, Logout, LogoutEverywhere,
    AskFact, News, Keys,
)  # fmt: skip
"""What the privilege *read-only* may ask."""

OWN = (AskAccount, ChangePassword, StartTotp, ConfirmTotp, EndTotp, Logout, LogoutEverywhere)
"""What everybody with a session may ask of the own account; no API key may."""

WATCHING = (News, AskRun)
"""Asked by pages on their own, without a person: no reason to keep a session open."""

BY_ITSELF = "by-itself:"
"""In front of a token: a page asks on its own. The session is checked as ever, and not kept from running out."""

NO_SESSION = "session"
NO_PRIVILEGE = "privilege"
"""The paths of the problems with which a question is refused for want of a session, or of the right to ask it."""

__all__ = [
    "BY_ITSELF",
    "KEY_PREFIX",
    "NO_PRIVILEGE",
    "NO_SESSION",
    "OWN",
    "QUESTIONS",
    "READING",
    "WATCHING",
    "Applied",
    "Apply",
    "AskAccount",
    "AskChoices",
    "AskFact",
    "AskFingerprints",
    "AskFrame",
    "AskRun",
    "AskRuns",
    "AskSetup",
    "AskSources",
    "Capture",
    "CarpScan",
    "Change",
    "ChangePassword",
    "Changed",
    "Choices",
    "Complete",
    "ConfirmTotp",
    "Diff",
    "DiffReport",
    "Difference",
    "Discard",
    "EditOrder",
    "EnableCarp",
    "EndTotp",
    "Export",
    "Finding",
    "Fingerprints",
    "Frame",
    "Import",
    "KeyMade",
    "KeyShown",
    "Keys",
    "List",
    "Listed",
    "Login",
    "LoginCode",
    "Logout",
    "LogoutEverywhere",
    "MacReport",
    "Maintenance",
    "MakeKey",
    "News",
    "NewsReport",
    "Overheard",
    "OwnAccount",
    "Piece",
    "PinPeer",
    "Ping",
    "ReadCapture",
    "RecoveryCodes",
    "ResetDemotion",
    "ResetTotp",
    "Restore",
    "RevisionHead",
    "Revisions",
    "RevokeKey",
    "RolesChanged",
    "Run",
    "ScanReport",
    "Session",
    "SetPassword",
    "SetUp",
    "SetupCode",
    "SetupCodeGiven",
    "Show",
    "Shown",
    "SourceChoice",
    "StartTotp",
    "Status",
    "StopRun",
    "SyncNow",
    "TestVirtualMac",
    "TotpSecret",
]  # fmt: skip
