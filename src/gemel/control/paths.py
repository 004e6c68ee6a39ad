"""Where the doors and the files that the agent writes for the daemons are. The same in the lab and on a machine."""

RUN = "/run/gemel"
STATE = "/var/lib/gemel"
ETC = "/etc/gemel"

AGENT_DOOR = f"{RUN}/agent.sock"
CARPD_DOOR = f"{RUN}/carpd.sock"
FLOWD_DOOR = f"{RUN}/flowd.sock"
LEASED_DOOR = f"{RUN}/leased.sock"
SUPERVISOR_DOOR = f"{RUN}/supervisor.sock"

ISSUE = f"{RUN}/issue"
"""What the text console shows above its log-in; /etc/issue.d/gemel.issue leads here."""

PROMPT = f"{RUN}/prompt"
"""What a login shell's prompt shows of the node; /etc/profile.d/gemel.sh reads it before each prompt."""

CARPD_SETTINGS = f"{RUN}/carpd.json"
HEARTBEAT_KEY = f"{RUN}/heartbeat.key"
FLOWD_SETTINGS = f"{RUN}/flowd.json"
LEASED_SETTINGS = f"{RUN}/leased.json"

NODE_KEY = f"{STATE}/node/key.pem"
NODE_CERTIFICATE = f"{STATE}/node/certificate.pem"
PEER_CERTIFICATE = f"{STATE}/node/peer.pem"
UPGRADE = f"{STATE}/upgrade"
"""A new version's package that the peer sent, and how its installation went."""

WEB_KEY = f"{STATE}/web/key.pem"
WEB_CERTIFICATE = f"{STATE}/web/certificate.pem"
