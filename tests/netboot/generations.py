"""What `pichroot publish` does to block devices: seen by Ceph's own programs, without a machine."""

import subprocess

from cluster import POOL
from images import OTHER_KEY
from shell import Failed, run, say, start, stop, until

NAME = f"{POOL}/gen"
NOT_PUBLISHED = 3


class Publisher:
    def __init__(self, bench, image):
        self.bench = bench
        self.image = image

    def call(self, *words):
        """The exit code, and what it says."""
        common = ["--config", "/dev/null", "-e", "hn_hostname=gen"]
        common += ["--ceph-conf", self.bench.cluster.settings]
        done = subprocess.run(
            [str(word) for word in [self.bench.pichroot, "publish", *common, *words]],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout

    def publish(self, *words, to=NAME):
        image = [self.image, "--checksum", "none", "--no-check", "all"]
        return self.call(*image, "--rbd", to, *words)

    def expect(self, said, code, *texts):
        found, output = said
        missing = [text for text in texts if text not in output]
        if found != code or missing:
            raise Failed(
                f"it ended with {found} and not {code}, or lacks {missing}:\n{output}"
            )

    def images(self):
        return sorted(self.bench.cluster.rbd("ls", POOL).split())

    def seem_changed(self):
        """Has pichroot take the image for another than what is published."""
        self.bench.cluster.rbd("image-meta", "set", NAME, "pichroot.sha256", "other")


def generations(bench, image):
    rbd = bench.cluster.rbd
    for name in rbd("ls", POOL).split():
        if name.startswith("gen"):
            rbd("rm", "--no-progress", f"{POOL}/{name}")
    others = bench.cluster.rbd("ls", POOL).split()
    publisher = Publisher(bench, image)
    images = lambda: [name for name in publisher.images() if name not in others]

    publisher.expect(publisher.publish(), 0, f"published rbd {NAME}, generation 1")
    exported = bench.place / "exported.img"
    exported.unlink(missing_ok=True)
    rbd("export", "--no-progress", NAME, exported)
    run("e2fsck", "-f", "-n", exported)
    exported.unlink()
    say("generations: published, and its file system is clean")

    publisher.expect(publisher.publish(), 0, f"rbd {NAME} is as it was, generation 1")
    publisher.seem_changed()
    publisher.expect(publisher.publish(), 0, "generation 2; generation 1 is kept")
    check(images(), ["gen", "gen.pichroot-1"])
    back = ["--rollback", "--rbd", NAME]
    publisher.expect(publisher.call(*back), 0, "generation 1; generation 2 is kept")
    publisher.expect(publisher.call(*back), 0, "generation 2; generation 1 is kept")
    say("generations: kept, and brought back")

    watching = subprocess.Popen(
        ["rbd", "-c", bench.cluster.settings, "watch", NAME],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until("a watcher", 30, lambda: bench.cluster.watchers("gen"))
    publisher.seem_changed()
    publisher.expect(
        publisher.publish("--force"), NOT_PUBLISHED, "is in use, by ", "hint: "
    )
    publisher.expect(publisher.call(*back), NOT_PUBLISHED, "is in use, by ")
    stop(watching)
    until("nobody uses it", 60, lambda: not bench.cluster.watchers("gen"))
    check(images(), ["gen", "gen.pichroot-1"])
    say("generations: what is in use is left alone")

    rbd("create", "--size", "8M", f"{POOL}/gen-theirs")
    theirs = f"{POOL}/gen-theirs"
    publisher.expect(publisher.publish(to=theirs), 2, "has not made it", "--force")
    publisher.expect(
        publisher.publish("--force", to=theirs), 0, "generation 2; generation 1 is kept"
    )
    back = ["--rollback", "--rbd", theirs]
    publisher.expect(publisher.call(*back), 0, "generation 1; generation 2 is kept")
    check('"size":8388608' in rbd("info", theirs, "--format", "json"), True)
    publisher.expect(publisher.call(*back), 0, "generation 2; generation 1 is kept")
    wrong = bench.place / "wrong.key"
    wrong.write_text(f"{OTHER_KEY}\n")
    key = ["--key", f"file:{wrong}"]
    publisher.expect(
        publisher.publish(*key), NOT_PUBLISHED, "connect to the cluster", "--key"
    )
    publisher.expect(
        publisher.publish(to="nopool/gen"), NOT_PUBLISHED, "ceph osd pool create"
    )
    publisher.expect(
        publisher.publish(to=f"{POOL}/ns/gen"), NOT_PUBLISHED, "rbd namespace create"
    )
    rbd("namespace", "create", f"{POOL}/ns")
    publisher.expect(publisher.publish(to=f"{POOL}/ns/gen"), 0, "generation 1")
    check(
        images(),
        ["gen", "gen-theirs", "gen-theirs.pichroot-1", "gen.pichroot-1"],
    )
    say("generations: what is wrong is told")

    # A publish that is stopped in the middle of its import leaves what is served, and the next one removes the rest.
    begun = start(
        bench.place / "stopped.log",
        *[
            bench.pichroot,
            "publish",
            image,
            "--config",
            "/dev/null",
            "--checksum",
            "none",
        ],
        *["-e", "hn_hostname=gen", "--no-check", "all", "--rbd", NAME],
        *["--ceph-conf", bench.cluster.settings],
    )
    until("a new image", 60, lambda: "gen.pichroot-new" in images())
    stop(begun)
    check([name for name in images() if name == "gen"], ["gen"])
    until("nobody uses it", 60, lambda: not bench.cluster.watchers("gen.pichroot-new"))
    publisher.expect(publisher.publish(), 0, "published")
    check("gen.pichroot-new" in images(), False)


def check(found, expected):
    if found != expected:
        raise Failed(f"{found!r} and not {expected!r}")
