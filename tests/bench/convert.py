#!/usr/bin/env python3
# vhdkit: converting images beside qemu-img and nbdcopy, in one run.
# SPDX-License-Identifier: BSD-3-Clause
"""Convert a half-empty raw image to dynamic and back to fixed (sparse).

    make -C tests copy-image
    ./run python3 tests/bench/convert.py [--size MIB] [--rounds N]

In each round every converter takes its turn, so that what else the machine
does hits all alike; what was written before is on the disk when a turn begins.
Figures are medians: seconds, seconds of processor time, and what the file
takes; then their ratios to ours of the same kind.  Below 1 we are behind.

    ours-sync  vhdkit_create: durable when it ends, as it is unless told
    qemu-sync  qemu-img convert -t writeback: flushed when it ends
    nbdcopy    through nbdkit's vhd plugin, flushed too
    ours       vhdkit_create with VHDKIT_HOST_NO_SYNC, and
    qemu       qemu-img convert: leave their data to the page cache

"to dynamic" reads a raw file that is in the page cache, and once more "cold", out
of it; "from NBD" the same file, from nbdkit's file plugin.  "back" converts
what the same converter made: "as left", when it has just been made (ours-sync
goes past the page cache, so it is read from the disk), "cold", out of the page
cache for all, "warm", when it was read once.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

MIB = 1 << 20
CONVERTERS = ("ours-sync", "qemu-sync", "nbdcopy", "ours", "qemu")
KIND = {"qemu": "ours"}         # the others are compared with ours-sync
ROWS = ("to dynamic", "... cold", "from NBD", "back, as left", "back, cold",
        "back, warm")


def make_raw(path, size, run):
    """Half data, half holes, in runs of so many bytes."""
    block = os.urandom(4 * MIB)
    with open(path, "wb") as f:
        f.truncate(size)
        for at in range(0, size, 2 * run):
            for part in range(at, min(at + run, size), len(block)):
                f.seek(part)
                f.write(block[:min(len(block), at + run - part,
                                   size - part)])


def warm(path):
    with open(path, "rb") as f:
        while f.read(4 * MIB):
            pass


def cold(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def as_left(path):
    pass


class Server:
    """nbdkit's file plugin on a raw image."""

    def __init__(self, directory, raw):
        sock = os.path.join(directory, "sock")
        pid = os.path.join(directory, "pid")
        self.process = subprocess.Popen(
            ["nbdkit", "-f", "-r", "-U", sock, "-P", pid, "file", raw],
            stdin=subprocess.DEVNULL)
        while not os.path.exists(pid) or os.path.getsize(pid) == 0:
            if self.process.poll() is not None:
                raise SystemExit("nbdkit does not start")
            time.sleep(0.01)
        self.uri = "nbd+unix:///?socket=" + sock

    def stop(self):
        self.process.terminate()
        self.process.wait()


def timed(argv):
    """Wall and processor seconds of a command and its children."""
    os.sync()
    start = time.monotonic()
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE)
    text = child.stderr.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = status
    wall = time.monotonic() - start
    if status != 0:
        raise SystemExit("%s\nfailed: %s" % (" ".join(argv), text))
    return wall, usage.ru_utime + usage.ru_stime


class Converter:
    def __init__(self, options):
        self.o = options

    def ours(self, how):
        return [self.o.copy] + (["-n"] if how == "ours" else [])

    def to_dynamic(self, how, source, out):
        """source: a raw file, or an NBD URI."""
        if how.startswith("ours"):
            nbd = source.startswith("nbd")
            return self.ours(how) + ["dynamic",
                                     source if nbd else "raw:" + source, out]
        if how == "nbdcopy":
            subprocess.run(["vhdkit", "create", out, "%dM" % self.o.size],
                           check=True, stdout=subprocess.DEVNULL)
            return ["nbdcopy", "--flush", "--", source,
                    "[", "nbdkit", "vhd", out, "]"]
        cache = "writeback" if how == "qemu-sync" else "unsafe"
        return ["qemu-img", "convert", "-t", cache, "-f", "raw", "-O", "vpc",
                "-o", "force_size=on", source, out]

    def back(self, how, image, out):
        if how.startswith("ours"):
            return self.ours(how) + ["-s", "fixed", image, out]
        if how == "nbdcopy":
            return ["nbdcopy", "--flush", "--",
                    "[", "nbdkit", "-r", "vhd", image, "]", out]
        cache = "writeback" if how == "qemu-sync" else "unsafe"
        return ["qemu-img", "convert", "-t", cache, "-f", "vpc", "-O", "vpc",
                "-o", "subformat=fixed,force_size=on", image, out]


def one_round(n, converter, directory, raw, uri, results):
    # Who comes after whom must not matter.
    first = n % len(CONVERTERS)
    for how in CONVERTERS[first:] + CONVERTERS[:first]:
        dynamic = os.path.join(directory, how + ".vhd")
        fixed = os.path.join(directory, how + ".fixed")
        for row, source, prepare in (("from NBD", uri, warm),
                                     ("to dynamic", raw, warm),
                                     ("... cold", raw, cold)):
            prepare(raw)
            if os.path.exists(dynamic):
                os.unlink(dynamic)
            figures = timed(converter.to_dynamic(how, source, dynamic))
            note(results, row, how, figures, dynamic)
        for row, prepare in (("back, as left", as_left), ("back, cold", cold),
                             ("back, warm", warm)):
            prepare(dynamic)
            figures = timed(converter.back(how, dynamic, fixed))
            note(results, row, how, figures, fixed)
            os.unlink(fixed)
        os.unlink(dynamic)


def note(results, row, how, figures, path):
    results.setdefault((row, how), []).append(
        figures + (os.stat(path).st_blocks * 512 / MIB,))


def report(results):
    print("%-13s %-10s %8s %8s %10s   %s" % (
        "", "", "seconds", "cpu", "MiB", "ratios to ours"))
    for row in ROWS:
        for how in CONVERTERS:
            ours = medians(results[row, how if how.startswith("ours")
                                   else KIND.get(how, "ours-sync")])
            m = medians(results[row, how])
            ratios = "  ".join("%5.2f" % (a / b if b else 0)
                               for a, b in zip(m, ours))
            print("%-13s %-10s %8.2f %8.2f %10.2f   %s" % (
                (row, how) + m + (ratios,)))


def medians(runs):
    return tuple(statistics.median(column) for column in zip(*runs))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--size", type=int, default=4096, help="MiB")
    p.add_argument("--run", type=int, default=16384,
                   help="KiB of data, then of hole, and so on")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--dir", help="where the images go")
    build = os.environ.get("VHDKIT_BUILD", ".")
    p.add_argument("--copy", default=os.path.join(build, "tests/copy-image"))
    o = p.parse_args()
    if not os.path.exists(o.copy):
        p.error("%s is missing: make -C tests copy-image" % o.copy)
    os.environ["MALLOC_PERTURB_"] = "0"
    directory = tempfile.mkdtemp(prefix="vhdkit-convert.", dir=o.dir)
    results = {}
    server = None
    try:
        raw = os.path.join(directory, "half.raw")
        make_raw(raw, o.size * MIB, o.run * 1024)
        server = Server(directory, raw)
        for n in range(o.rounds):
            one_round(n, Converter(o), directory, raw, server.uri, results)
            if sys.stderr.isatty():
                print("round %d of %d" % (n + 1, o.rounds), file=sys.stderr)
    finally:
        if server:
            server.stop()
        shutil.rmtree(directory)
    report(results)


if __name__ == "__main__":
    main()
