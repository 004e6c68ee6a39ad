"""Two plain Debian 12 machines, a package, the recipe by REST, a power cut, and what else may happen."""

import argparse
import signal
import sys
from pathlib import Path

from gemel.lab import image
from gemel.lab.commands import SOURCE
from gemel.lab.namespace import LabError
from gemel.lab.virtual import VirtualLab
from gemel.lab.vm.pair import Pair, built
from gemel.lab.vm.stories import STORIES, help_of

FOLDER = SOURCE.parent / "dist/vm"


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the machines end with it, however it is ended
    try:
        package = options.package or built(FOLDER)
        root = image.base(FOLDER, image.depends(package), lambda what: print(f"… {what}", flush=True))
        with VirtualLab("vmtest", FOLDER / "run", root, options.resume) as lab:
            pair = Pair(lab, package, options.save)
            try:
                pair.stand(options.resume)
                for name in [n for n in STORIES if not options.only or n in options.only]:
                    pair.begin(name)
                    STORIES[name](pair)
            finally:
                _print(pair.table)
    except LabError as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    return 0


def _options() -> argparse.Namespace:
    told = "\n".join(f"  {name:10}{help_of(story)}" for name, story in STORIES.items())
    parser = argparse.ArgumentParser(
        "scripts/vm-test",
        description=__doc__,
        epilog=f"Both machines are booted, get the package and carry out the recipe; then the stories:\n{told}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--package", type=Path, help="a package that is built already")
    parser.add_argument("--only", action="append", choices=STORIES, metavar="STORY", help="only this story, or these")
    parser.add_argument("--save", action="store_true", help="save both machines after each step up to the pair")
    parser.add_argument("--resume", action="store_true", help="begin with the machines as they were saved last")
    return parser.parse_args()


def _print(table: list[tuple[str, str]]) -> None:
    width = max((len(what) for what, _ in table), default=0)
    print()
    for what, line in table:
        print(f"  {what:{width}}  {line}")


if __name__ == "__main__":
    sys.exit(main())
