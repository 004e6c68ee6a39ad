"""What happens to a packet once its rule is known: nft statements for the three actions, logs, marks and counters."""

from gemel.rules.expressions import quoted
from gemel.rules.ir import LOG_GROUP, NO_STATE_SYNC_MARK, Action, Rule

VERDICTS = {Action.PASS: "accept", Action.BLOCK: "drop", Action.REJECT: "goto rejected"}


def is_plain(rule: Rule) -> bool:
    """True if the verdict alone does it, so that a verdict map can hold it."""
    return not rule.log and not (rule.no_state_sync and rule.action is Action.PASS)


def statements(rule: Rule) -> str:
    """Log, mark and verdict of a rule."""
    words = []
    if rule.log:
        words.append(f"log prefix {quoted(f'gemel:{rule.action.value}:{rule.id}')} group {LOG_GROUP} ")
    if rule.no_state_sync and rule.action is Action.PASS:
        words.append(f"ct mark set ct mark | {NO_STATE_SYNC_MARK:#x} ")
    return "".join(words) + VERDICTS[rule.action]
