"""Real text, made on this machine: the source files that this build rests on, every line with the path it stands in."""

import glob
import os

LINE_BYTES_MAX = 4000


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.path.join(base, "corelane")
    os.makedirs(path, exist_ok=True)
    return path


def sources():
    cargo = os.environ.get("CARGO_HOME") or os.path.expanduser("~/.cargo")
    yield from sorted(glob.glob(f"{cargo}/registry/src/*/*/**/*.rs", recursive=True))
    yield from sorted(glob.glob("/usr/share/**/*.txt", recursive=True))
    yield from sorted(glob.glob("/var/lib/dpkg/info/*.list"))


def make(megabytes):
    """A file of at least so many megabytes, no line empty; made once and kept. Text runs out? Then it is numbered anew."""
    path = os.path.join(cache(), f"text-{megabytes}.txt")
    wanted = megabytes * 1_000_000
    if os.path.exists(path) and os.path.getsize(path) >= wanted:
        return path
    written = 0
    with open(path + ".tmp", "wb") as out:
        for turn in range(1000):
            for source in sources():
                prefix = f"{turn} {os.path.basename(source)}: ".encode()
                with open(source, "rb") as text:
                    for line in text:
                        line = line.rstrip(b"\r\n").replace(b"\0", b"")[:LINE_BYTES_MAX]
                        written += out.write(prefix + line + b"\n")
                if written >= wanted:
                    break
            if written >= wanted:
                break
    assert written >= wanted, f"found only {written} bytes of text on this machine"
    os.rename(path + ".tmp", path)
    return path
