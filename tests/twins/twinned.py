"""What a run says about its programs: how often each was run by its twin, and how often under qemu."""

import re

# "programs of the image started: 10 by twins (sh 7, cp 3), 3 emulated (dpkg 3)"
SUMMARY = re.compile(
    r"programs of the image started: \d+ by twins(?: \((?P<twins>.*?)\))?, \d+ emulated(?: \((?P<emulated>.*?)\))?$",
    re.MULTILINE,
)


def twinned(messages):
    """Two tables by the program's name, of what `pichroot exec -v` prints; of several runs, the sums."""
    tables = {"twins": {}, "emulated": {}}
    for match in SUMMARY.finditer(messages):
        for kind, table in tables.items():
            for name, number in re.findall(r"(\S+) (\d+)", match[kind] or ""):
                table[name] = table.get(name, 0) + int(number)
    return tables["twins"], tables["emulated"]
