#!/usr/bin/env python3
"""The measurements behind the README's figures, each against its comparison in the same run.

Timings of a busy machine are noisy, so what counts is the ratio: the sides are run in turns, and
the medians are compared. Run it by `make bench`, as root; PICHROOT_TEST_IMAGE names the base image.

    benches/run.py [work_image] [pack] [flash] [publish] [stage] [playbook] [twins]      all of them by default

ROUNDS (5) sets how often; SIDES picks sides of the playbook, PARTS of what is measured of twins: see there.
"""

import os
import pathlib
import shutil
import sys
import tempfile

from measure import BINARY, CHECKOUT, ROUNDS, TARGET, run, show, timed
from pack import flash, pack
from playbook import playbook

from publish import publish, publish_rbd
from twins import twins


def work_image(scratch, image):
    """Decompress and copy, against xz and cp."""
    run(
        ["cargo", "build", "--release", "--locked", "--bench", "work_image"],
        cwd=CHECKOUT,
    )
    found = sorted((TARGET / "release/deps").glob("work_image-*"), key=os.path.getmtime)
    program = [path for path in found if not path.suffix][-1]
    ours, theirs = [], []
    for _ in range(ROUNDS):
        place = scratch / "ours"
        place.mkdir()
        ours.append(timed([program, image, place]))
        shutil.rmtree(place)
        place = scratch / "theirs"
        place.mkdir()
        line = 'xz -T0 -dc "$1" >"$2/base.img" && cp --sparse=always "$2/base.img" "$2/work.img"'
        theirs.append(timed(["sh", "-c", line, "sh", image, place]))
        shutil.rmtree(place)
    show("source to work image (xz, cp)", ours, theirs)


def stage(raw):
    """Mount, run /bin/true in the image, unmount and check the file systems."""
    command = [BINARY, "exec", "--write", raw, "--", "true"]
    run(command)
    show(
        "stage up, true, down, fsck",
        [timed(command) for _ in range(ROUNDS * 2)],
        unit="ms",
    )


def main():
    parts = ["work_image", "pack", "flash", "publish", "stage", "playbook", "twins"]
    chosen = sys.argv[1:] or parts
    if not set(chosen) <= set(parts):
        raise SystemExit(f"usage: {sys.argv[0]} {' '.join(f'[{p}]' for p in parts)}")
    image = os.environ["PICHROOT_TEST_IMAGE"]
    with tempfile.TemporaryDirectory(dir=TARGET) as name:
        scratch = pathlib.Path(name)
        if "work_image" in chosen:
            work_image(scratch, image)
        raw = scratch / "raw.img"
        if {"pack", "flash", "publish", "stage", "playbook", "twins"} & set(chosen):
            line = 'xz -T0 -dc "$1" | cp --sparse=always /dev/stdin "$2"'
            run(["sh", "-c", line, "sh", image, raw])
        if "pack" in chosen:
            pack(scratch, raw)
        if "flash" in chosen:
            flash(scratch, raw)
        if "publish" in chosen:
            publish(scratch, raw)
            publish_rbd(raw)
        if "stage" in chosen:
            stage(raw)
        if "playbook" in chosen:
            playbook(scratch, raw)
        if "twins" in chosen:
            twins(scratch, raw)


if __name__ == "__main__":
    main()
