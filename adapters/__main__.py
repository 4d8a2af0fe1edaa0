"""The store at the command line: `python -m adapters --help`.

Parses, calls, prints. Exit codes: 0 done, 1 our error or damage found, 2 wrong usage.
"""

import json
import sys

from adapters.artifact.shown import shown
from adapters.cache.cached_store import CachedStore
from adapters.cache.redis_cache import AdapterCache
from adapters.cli.commands import Found
from adapters.cli.options import make_parser
from adapters.errors import SptError
from adapters.store.directory import DirectoryStore


def main(argv: list[str] | None = None) -> int:
    """Run one command and return the exit code."""
    parser = make_parser()
    args = parser.parse_args(argv)
    try:
        cache = AdapterCache.from_url(args.redis) if args.redis else None
    except ValueError as error:
        parser.error(f"--redis or REDIS_URL: {error}")
    try:
        found: Found = args.run(CachedStore(DirectoryStore(args.store), cache), args)
    except (SptError, OSError) as error:
        print(shown(str(error)), file=sys.stderr)
        return 1
    print(json.dumps(found, indent=1)) if args.json else args.show(found)
    rows = found if isinstance(found, list) else [found]
    return 1 if any(row.get("damage") for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
