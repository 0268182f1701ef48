#!/usr/bin/env python3
# vhdkit: speed beside its peers, in one run.
# SPDX-License-Identifier: BSD-3-Clause
"""Compare serving VHD images with nbdkit's file plugin on a raw file (the
ceiling of the transport), qemu-nbd on vpc and on qcow2.

Every row is measured in rounds; in each round every server takes its turn, so
that what else the machine does hits all alike.  Figures are ratios to the
ceiling of the same round, and of those the medians; the ceiling is measured
twice a round, and how far that pair is from 1 says how much noise there is.
More is better, except where a row is marked "time".
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

MIB = 1 << 20
ALL = ["file", "again", "vpc", "qcow2", "vhd"]


def run(*args, **kw):
    return subprocess.run(args, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, **kw).stdout


class Server:
    """One NBD server on one image, over a unix socket."""

    def __init__(self, bench, argv, socket, pidfile):
        self.socket = socket
        env = dict(os.environ, MALLOC_PERTURB_="0", LD_PRELOAD=bench.preload)
        self.process = subprocess.Popen(argv, env=env,
                                        stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE)
        self.pid = self.process.pid
        end = time.time() + 20
        while not os.path.exists(pidfile) or not os.path.exists(socket):
            if self.process.poll() is not None:
                raise SystemExit("server failed: %s\n%s" % (
                    " ".join(argv), self.process.stderr.read().decode()))
            if time.time() > end:
                raise SystemExit("server does not start: " + " ".join(argv))
            time.sleep(0.005)
        self.uri = "nbd+unix:///?socket=" + socket
        bench.servers.append(self)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
        self.process.stderr.close()
        if os.path.exists(self.socket):
            os.unlink(self.socket)


class Bench:
    def __init__(self, options, directory):
        self.o = options
        self.dir = directory
        self.servers = []
        self.count = 0
        self.preload = ""       # into every server
        self.rows = []

    def path(self, name):
        return os.path.join(self.dir, name)

    def serve(self, kind, image):
        self.count += 1
        sock = self.path("s%d" % self.count)
        pid = self.path("p%d" % self.count)
        if kind in ("file", "again"):
            argv = [self.o.nbdkit, "-f", "-U", sock, "-P", pid, "file", image]
        elif kind == "vhd":
            argv = [self.o.nbdkit, "-f", "-U", sock, "-P", pid,
                    self.o.plugin, image] + self.o.vhd_arg
        else:
            fmt = {"vpc": "vpc", "qcow2": "qcow2"}[kind]
            argv = [self.o.qemu_nbd, "-t", "-e", "64", "-k", sock,
                    "--pid-file", pid, "-f", fmt, "--discard=unmap",
                    "--detect-zeroes=off", image]
        return Server(self, argv, sock, pid)

    def load(self, server, **kw):
        argv = [self.o.load, "--pid", str(server.pid)]
        for key, value in kw.items():
            name = "--" + key.replace("_", "-")
            if value is True:
                argv.append(name)
            else:
                argv += [name, str(value)]
        return json.loads(run(*argv, server.uri))

    # Images.  Each of them holds nothing when it is made.

    def make(self, kind, name, size, parent=None):
        path = self.path(name)
        if os.path.exists(path):
            os.unlink(path)
        if kind in ("file", "again"):
            with open(path, "wb") as f:
                f.truncate(size)
        elif kind == "vhd":
            if parent:
                run(self.o.vhdkit, "create", "--parent", parent, path)
            else:
                run(self.o.vhdkit, "create", "--size", str(size), path)
        elif kind == "vpc":
            run("qemu-img", "create", "-q", "-f", "vpc", "-o",
                "force_size=on", path, str(size))
        elif parent:
            run("qemu-img", "create", "-q", "-f", "qcow2", "-b", parent,
                "-F", "qcow2", path)
        else:
            run("qemu-img", "create", "-q", "-f", "qcow2", path, str(size))
        return path

    def fill(self, kind, path, length, **kw):
        s = self.serve(kind, path)
        args = dict(op="write", pattern="sequential", block=MIB, depth=4,
                    requests=length // MIB, length=length, flush_end=True)
        args.update(kw)
        self.load(s, **args)
        s.stop()

    # Rows.

    def add(self, name, kinds, results, target, time_row=False):
        """results: kind -> list of figures, more is better unless a time.  The
        ratio is the median over the rounds of the ratio within a round."""
        base = [(a + b) / 2 for a, b in zip(results["file"],
                                            results["again"])]
        ratio = {k: statistics.median(x / b for x, b in zip(v, base) if b)
                 for k, v in results.items()}
        over = {k: statistics.median(x / y for x, y in
                                     zip(results["vhd"], results[k]) if y)
                for k in ("vpc", "qcow2") if k in results}
        row = {"row": name, "time": time_row, "target": target,
               "ratio": ratio, "vhd_over": over,
               "median": {k: statistics.median(v)
                          for k, v in results.items()},
               "rounds": len(results["vhd"])}
        self.rows.append(row)
        print_row(row)

    def rates(self, name, kinds, servers, target, rounds=None, **kw):
        """Servers that go on from round to round, and are warmed up."""
        kw.setdefault("warm_up", kw["requests"] // 3)
        out = {k: [] for k in kinds}
        seen = {k: [] for k in kinds}
        for n in range(rounds or self.o.rounds):
            order = kinds[n % len(kinds):] + kinds[:n % len(kinds)]
            for k in order:
                r = self.load(servers[k], seed=n + 1, **kw)
                out[k].append(r["requests"] / r["seconds"])
                seen[k].append(r)
        self.add(name, kinds, out, target)
        self.add_details(seen)

    def add_details(self, seen):
        """seen: kind -> what each load of the last row said."""
        row = self.rows[-1]
        # Processor time is counted in hundredths of a second: over all rounds.
        row["cpu_us"] = {
            k: sum(r["cpu"] for r in v) / sum(r["requests"] for r in v) * 1e6
            for k, v in seen.items()}
        for p in ("p50", "p99", "p999"):
            row["latency_us_" + p] = {
                k: statistics.median(r[p] for r in v)
                for k, v in seen.items()}

    def fresh(self, name, kinds, target, make, rounds=None, **kw):
        """Each measurement on an image of its own, made by make(kind)."""
        out = {k: [] for k in kinds}
        seen = {k: [] for k in kinds}
        for n in range(rounds or self.o.rounds):
            order = kinds[n % len(kinds):] + kinds[:n % len(kinds)]
            for k in order:
                s = self.serve(k, make(k))
                r = self.load(s, seed=n + 1, **kw)
                s.stop()
                out[k].append(r["requests"] / r["seconds"])
                seen[k].append(r)
        self.add(name, kinds, out, target)
        self.add_details(seen)


def print_header():
    print("%-44s %7s %7s %7s %7s %7s   %s" % (
        "row", "ceiling", "again", "vpc", "qcow2", "vhdkit", "target"))


def print_row(row):
    def cell(kind):
        v = row["ratio"].get(kind)
        return "%7.2f" % v if v is not None else "      -"
    print("%-44s %s %s %s %s %s   %s" % (
        row["row"] + (" (time)" if row["time"] else ""), cell("file"),
        cell("again"), cell("vpc"), cell("qcow2"), cell("vhd"),
        row["target"]), flush=True)
    if " x " in row["target"] and row["vhd_over"]:
        print("  " + ", ".join("%.1f x %s" % (v, k) for k, v in
                               row["vhd_over"].items()), flush=True)


def print_latencies(rows):
    """For the ceiling and ourselves; of others they are in the JSON."""
    print("\n%-50s %26s %26s" % ("latency in us: p50, p99, p99.9", "ceiling",
                                 "vhdkit"))
    for row in rows:
        if "latency_us_p50" not in row:
            continue
        print("%-50s" % row["row"], end="")
        for k in ("file", "vhd"):
            print(" %8.0f %8.0f %8.0f" % tuple(
                row["latency_us_" + p][k] for p in ("p50", "p99", "p999")),
                end="")
        print()



def steady(b):
    """On images whose blocks are all there."""
    size = b.o.size
    servers = {}
    for k in ALL:
        path = b.make(k, "steady." + k, size)
        b.fill(k, path, size)
        servers[k] = b.serve(k, path)
    q = b.o.scale

    b.rates("sequential read 1 MiB, qd 8", ALL, servers, ">= 0.97",
            op="read", pattern="sequential", block=MIB, depth=8,
            requests=int(400 * q))
    b.rates("sequential write 1 MiB, qd 8", ALL, servers, ">= 0.95",
            op="write", pattern="sequential", block=MIB, depth=8,
            requests=int(400 * q), flush_end=True)
    for depth, conns, n in ((1, 1, 5000), (16, 1, 20000), (64, 1, 20000),
                            (16, 4, 20000)):
        b.rates("random read 4 KiB, qd %d x %d" % (depth, conns), ALL,
                servers, ">= 0.97", op="read", depth=depth,
                connections=conns, requests=int(n * q))
    for depth, conns, n in ((1, 1, 5000), (16, 1, 20000), (16, 4, 20000)):
        b.rates("random write 4 KiB, qd %d x %d" % (depth, conns), ALL,
                servers, ">= 0.95", op="write", depth=depth,
                connections=conns, requests=int(n * q), flush_end=True)
    b.rates("mixed 70/30 4 KiB, qd 32", ALL, servers, ">= 0.95", op="mix",
            depth=32, requests=int(20000 * q))
    b.rates("write 4 KiB + flush, qd 1", ALL, servers, ">= 0.90", op="write",
            depth=1, requests=int(1500 * q), flush_each=True)
    small = [r for r in b.rows if "4 KiB, qd" in r["row"]
             and "flush" not in r["row"]]
    b.add("server CPU per 4 KiB request", ALL,
          {k: [r["cpu_us"][k] for r in small] for k in ALL}, "<= 1.10",
          time_row=True)
    for s in servers.values():
        s.stop()


def joins(b):
    """Flushes of several connections, where a sync takes its time."""
    size = 64 * MIB
    servers = {}
    for k in ALL:
        path = b.make(k, "joins." + k, size)
        b.fill(k, path, size)
        b.preload = b.o.slow_sync
        servers[k] = b.serve(k, path)
        b.preload = ""
    for conns, n in ((1, 200), (8, 800)):
        b.rates("write 4 KiB + flush of 1 ms, %d connection%s"
                % (conns, "s" if conns > 1 else ""), ALL, servers,
                ">= 0.90" if conns == 1 else "", op="write", depth=1,
                connections=conns, requests=int(n * b.o.scale),
                flush_each=True)
    one, eight = b.rows[-2:]
    eight["eight_over_one"] = {
        k: eight["median"][k] / one["median"][k] for k in ALL}
    print("  8 connections over 1: " + ", ".join(
        "%s %.1f" % (k, v) for k, v in eight["eight_over_one"].items())
        + "   (vhdkit >= 3)")
    for s in servers.values():
        s.stop()


def fresh(b):
    size = b.o.size
    q = b.o.scale
    blocks = int(2048 * q)      # a place each: they take no memory

    def make(k):
        return b.make(k, "fresh." + k, size)

    def make_long(k):
        return b.make(k, "fresh." + k, blocks * 2 * MIB)

    b.fresh("sequential write 1 MiB, fresh, flush at end", ALL, ">= 0.90",
            make, op="write", pattern="sequential", block=MIB, depth=8,
            requests=min(size // MIB, int(400 * q)), flush_end=True)
    b.fresh("first touch of each block, flush at end", ALL,
            ">= 0.60, 5 x vpc", make_long, op="write", pattern="stride",
            depth=16, requests=blocks, flush_end=True)
    b.fresh("random write 4 KiB, fresh, flush at end", ALL,
            ">= 0.80, 4 x vpc", make, op="write", depth=16,
            requests=int(6000 * q), flush_end=True)
    b.fresh("first touch + flush each, qd 1", ALL, ">= 0.45", make_long,
            op="write", pattern="stride", depth=1,
            requests=min(blocks, 512), flush_each=True)


def children(b):
    """First writes into a child over a parent full of data.  A child grows in
    its file as it is written, so the ceiling is a raw file that does, and
    then, to see what that costs, one that does not."""
    size = b.o.size
    kinds = [k for k in ALL if k != "vpc"]
    # So few that most of them come to a place of their own.
    load = dict(op="write", depth=16, requests=size // 131072, flush_end=True)
    base = {}
    for k in kinds[2:] + ["file"]:
        base[k] = b.make(k, "base." + k, size)
        b.fill(k, base[k], size)

    def make(k):
        raw = k in ("file", "again")
        return b.make(k, "child." + k, size, parent=None if raw else base[k])

    def make_full(k):
        path = make(k)
        if k in ("file", "again"):
            shutil.copyfile(base["file"], path)
        return path

    b.fresh("child over parent: first writes, flush at end", kinds,
            ">= 0.80, 5 x qcow2", make, **load)
    b.fresh("  the same, the raw file full already", ["file", "again", "vhd"],
            "", make_full, **load)
    for path in base.values():
        os.unlink(path)


def chain(b, kind, depth, size):
    """A chain of that many parents and a child, random 64 KiB stretches of
    data in every layer.  Returns the top."""
    path = b.make(kind, "chain-0." + kind, size)
    b.fill(kind, path, size)
    for n in range(1, depth + 1):
        path = b.make(kind, "chain-%d.%s" % (n, kind), size, parent=path)
        b.fill(kind, path, size, pattern="random", block=65536, depth=4,
               requests=max(size // 65536 // (depth + 1), 8), seed=n)
    return path


def chains(b):
    size = min(b.o.size, 256 * MIB)
    raw = b.make("file", "chain.raw", size)
    b.fill("file", raw, size)
    for depth in b.o.depths:
        kinds = [k for k in ALL if k != "vpc"]
        tops = {"file": raw, "again": raw}
        for k in kinds[2:]:
            tops[k] = chain(b, k, depth, size)
        servers = {k: b.serve(k, tops[k]) for k in kinds}
        for k in kinds:         # once through, so that all is warm
            b.load(servers[k], op="read", pattern="sequential", block=MIB,
                   depth=4, requests=size // MIB)
        b.rates("chain depth %d, random read 4 KiB, qd 16" % depth, kinds,
                servers, ">= 0.95", op="read", depth=16,
                requests=int(20000 * b.o.scale))
        if depth == max(b.o.depths):
            b.rates("chain depth %d, sequential read" % depth, kinds,
                    servers, ">= 0.90", op="read", pattern="sequential",
                    block=MIB, depth=8, requests=int(400 * b.o.scale))
        for s in servers.values():
            s.stop()
        for n in range(depth + 1):
            for k in kinds[2:]:
                os.unlink(b.path("chain-%d.%s" % (n, k)))


def holes(b):
    size = b.o.size
    servers = {k: b.serve(k, b.make(k, "hole." + k, size)) for k in ALL}
    b.rates("read of holes 4 KiB, qd 16", ALL, servers, ">= 1.2", op="read",
            depth=16, requests=int(20000 * b.o.scale))
    b.rates("read of holes 1 MiB, qd 8", ALL, servers, ">= 1.2", op="read",
            pattern="sequential", block=MIB, depth=8,
            requests=int(400 * b.o.scale))
    for s in servers.values():
        s.stop()

    out = {k: [] for k in ALL}
    left = {k: [] for k in ALL}
    for n in range(b.o.rounds):
        for k in ALL:
            path = b.make(k, "trim." + k, size)
            b.fill(k, path, size)
            s = b.serve(k, path)
            r = b.load(s, op="trim", pattern="sequential", block=64 * MIB,
                       depth=4, requests=size // (64 * MIB))
            out[k].append(r["requests"] / r["seconds"])
            s.stop()            # which commits
            left[k].append(os.stat(path).st_blocks * 512)
    b.add("trim of everything", ALL, out, ">= 2")
    b.rows[-1]["bytes_left"] = {k: statistics.median(v)
                                for k, v in left.items()}
    print("  bytes left after the trim: " + ", ".join(
        "%s %d" % kv for kv in b.rows[-1]["bytes_left"].items()))


def status(b):
    """Block status of a fragmented image: time for all of it."""
    size = b.o.size
    for unit, target in ((2 * MIB, "<= 0.5"), (65536, "<= 3")):
        servers = {}
        for k in ALL:
            path = b.make(k, "status." + k, size)
            b.fill(k, path, size, pattern="stride", stride=2 * unit,
                   block=min(unit, MIB), requests=size // (2 * unit))
            servers[k] = b.serve(k, path)
        out = {k: [] for k in ALL}
        for n in range(b.o.rounds):
            for k in ALL:
                r = b.load(servers[k], op="status", requests=20)
                out[k].append(r["seconds"])
        b.add("block status, every other %s" % (
            "2 MiB" if unit == 2 * MIB else "64 KiB"), ALL, out, target,
            time_row=True)
        for s in servers.values():
            s.stop()


def copies(b):
    size = b.o.size * 16
    for unit in (65536, 2 * MIB):
        servers = {}
        for k in ALL:
            path = b.make(k, "copy." + k, size)
            b.fill(k, path, size, pattern="stride", stride=16 * MIB,
                   block=unit, requests=size // (16 * MIB))
            servers[k] = b.serve(k, path)
        out = {k: [] for k in ALL}
        for n in range(b.o.rounds):
            for k in ALL:
                t = time.perf_counter()
                run("nbdcopy", servers[k].uri, "null:")
                out[k].append(1 / (time.perf_counter() - t))
        b.add("copy out with nbdcopy, %s in 16 MiB" % (
            "64 KiB" if unit == 65536 else "2 MiB"), ALL, out, ">= 1.5")
        for s in servers.values():
            s.stop()
        for k in ALL:
            os.unlink(b.path("copy." + k))


def starts(b):
    for name, size in (("10 GiB", 10 << 30), ("2040 GiB", 2040 << 30)):
        paths = {k: b.make(k, "start." + k, size) for k in ALL}
        out = {k: [] for k in ALL}
        for n in range(max(b.o.rounds, 5)):
            for k in ALL:
                t = time.perf_counter()
                s = b.serve(k, paths[k])
                b.load(s, op="read", requests=1)
                out[k].append(time.perf_counter() - t)
                s.stop()
        b.add("start to first read, " + name, ALL, out, "<= 1.1",
              time_row=True)


GROUPS = [("steady", steady), ("joins", joins), ("fresh", fresh),
          ("children", children), ("chains", chains), ("holes", holes),
          ("status", status), ("copies", copies), ("starts", starts)]


def options():
    build = os.environ.get("VHDKIT_BUILD", ".")
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse
                                .RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="under 3 minutes")
    p.add_argument("--full", action="store_true", help="more rounds, larger")
    p.add_argument("--only", action="append", default=[],
                   choices=[g[0] for g in GROUPS], help="one group of rows")
    p.add_argument("--rounds", type=int)
    p.add_argument("--without-peers", action="store_true",
                   help="only the ceiling and ourselves")
    p.add_argument("--json", metavar="FILE", help="write the figures there")
    p.add_argument("--dir", help="where the images go (default: memory)")
    p.add_argument("--vhd-arg", action="append", default=[],
                   help="a parameter for our plugin")
    p.add_argument("--nbdkit", default="nbdkit")
    p.add_argument("--qemu-nbd", default="qemu-nbd")
    p.add_argument("--plugin", default=os.environ.get("VHD_PLUGIN", "vhd"))
    p.add_argument("--vhdkit", default="vhdkit")
    p.add_argument("--load", default=os.path.join(
        build, "tests", "bench", "nbd-load"))
    p.add_argument("--slow-sync", default=os.path.join(
        build, "tests", "bench", ".libs", "slow-sync.so"))
    o = p.parse_args()
    o.rounds = o.rounds or (15 if o.full else 5 if o.quick else 9)
    if o.without_peers:
        ALL[:] = ["file", "again", "vhd"]
    o.scale = 4.0 if o.full else 0.5 if o.quick else 1.0
    o.size = (1024 if o.full else 256 if o.quick else 512) * MIB
    o.depths = [1, 8, 64] if o.quick else [1, 8, 32, 64]
    return o


def main():
    o = options()
    parent = o.dir or ("/dev/shm" if os.path.isdir("/dev/shm") else None)
    directory = tempfile.mkdtemp(prefix="vhdkit-bench-", dir=parent)
    b = Bench(o, directory)
    began = time.time()
    print_header()
    try:
        for name, group in GROUPS:
            if not o.only or name in o.only:
                group(b)
    finally:
        for s in b.servers:
            if s.process.poll() is None:
                s.process.kill()
                s.process.wait()
        shutil.rmtree(directory, ignore_errors=True)
    print_latencies(b.rows)
    print("%d rows in %d seconds, load average %.1f" % (
        len(b.rows), time.time() - began, os.getloadavg()[0]))
    if o.json:
        with open(o.json, "w") as f:
            json.dump({"rows": b.rows, "rounds": o.rounds,
                       "size": o.size}, f, indent=1)
            f.write("\n")


if __name__ == "__main__":
    sys.exit(main())
