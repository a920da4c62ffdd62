#!/usr/bin/env python3
"""The measurements behind the README's figures, each against its comparison in the same run.

Timings of a busy machine are noisy, so what counts is the ratio: both sides are run in turns, and
the medians are compared. Run it by `make bench`, as root; PICHROOT_TEST_IMAGE names the base image.
"""

import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
BINARY = CHECKOUT / "target/release/pichroot"
PLAYBOOK = CHECKOUT / "benches/reference-playbook/playbook.yml"
ROUNDS = int(os.environ.get("ROUNDS", "5"))
# The root file system's place in the base image, see tests/fixtures/pi-disk.sh.
ROOT_OFFSET = 526336 * 512


def run(command, **options):
    subprocess.run(
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        **options,
    )


def timed(command, **options):
    start = time.monotonic()
    run(command, **options)
    return time.monotonic() - start


def show(name, ours, theirs=None, unit="s"):
    scale = 1000 if unit == "ms" else 1
    line = f"{name:<34} ours {statistics.median(ours) * scale:8.2f} {unit}"
    if theirs:
        ratio = statistics.median(theirs) / statistics.median(ours)
        line += f"   theirs {statistics.median(theirs) * scale:8.2f} {unit}   {ratio:5.2f} times as fast"
    print(line + f"   (median of {len(ours)})", flush=True)


def work_image(scratch, image):
    """Decompress and copy, against xz and cp."""
    run(
        ["cargo", "build", "--release", "--locked", "--bench", "work_image"],
        cwd=CHECKOUT,
    )
    found = sorted(
        (CHECKOUT / "target/release/deps").glob("work_image-*"), key=os.path.getmtime
    )
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


def playbook(scratch, raw):
    """The reference playbook, against community.general.chroot on an image mounted by hand."""
    ours, theirs = [], []
    environment = dict(os.environ, ANSIBLE_LOCALHOST_WARNING="0", LC_ALL="C.UTF-8")
    for number in range(max(1, ROUNDS // 3)):
        output = scratch / f"{number}.img"
        command = [BINARY, "ansible", PLAYBOOK, "--image", raw, "--checksum", "none"]
        command += ["-o", output, "-e", "hn_hostname=mypi"]
        ours.append(timed(command, cwd=scratch, env=environment))
        output.unlink()
        copy = scratch / "copy.img"
        shutil.copyfile(raw, copy)
        theirs.append(timed(by_hand(scratch, copy), env=environment))
        copy.unlink()
    show("reference playbook (bare chroot)", ours, theirs)


def by_hand(scratch, image):
    """What one does without pichroot: mount the image, and run Ansible with the chroot connection."""
    script = f"""
        set -e
        mkdir -p {scratch}/root
        mount -o loop,offset={ROOT_OFFSET} {image} {scratch}/root
        mount --rbind /dev {scratch}/root/dev
        mount -t proc proc {scratch}/root/proc
        export debian_chroot=x SYSTEMD_OFFLINE=1
        {CHECKOUT}/tests/fixtures/with-emulation.sh aarch64 \\
            ansible-playbook -c community.general.chroot -i {scratch}/root, \\
            -e ansible_python_interpreter=/usr/bin/python3 -e hn_hostname=mypi {PLAYBOOK}
    """
    # The mounts are in a namespace of their own, and end with it.
    return ["unshare", "--mount", "bash", "-c", script]


def main():
    image = os.environ["PICHROOT_TEST_IMAGE"]
    with tempfile.TemporaryDirectory(dir=CHECKOUT / "target") as name:
        scratch = pathlib.Path(name)
        work_image(scratch, image)
        raw = scratch / "raw.img"
        run(
            [
                "sh",
                "-c",
                'xz -T0 -dc "$1" | cp --sparse=always /dev/stdin "$2"',
                "sh",
                image,
                raw,
            ]
        )
        stage(raw)
        playbook(scratch, raw)


if __name__ == "__main__":
    main()
