# vhdkit: a server and its client, for the Python halves of tests
# SPDX-License-Identifier: BSD-3-Clause
"""Start nbdkit with the plugin on a socket of its own, and talk to it.

A server that is refused an image says so in one line and ends with a status
that is no signal; one that serves ends cleanly and has not taken much memory.
Both are looked at here, for every test alike.
"""

import ctypes
import errno
import hashlib
import os
import re
import signal
import subprocess
import tempfile
import threading
import time

import nbd

import vhd

SANITIZED = os.environ.get('SANITIZE', '') != ''
# Seconds, so that a failure ends; machines are busy.
START_TIMEOUT = 120
LIFE_TIMEOUT = 300
MAX_RSS = 300 << 20             # bytes; a sanitizer takes more
SANITIZER = re.compile(r'ERROR: \w+Sanitizer|runtime error:')


def have_openat2():
    """dir= needs it, and some containers let nobody call it."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(437, -1, b'', None, 0)
    return ctypes.get_errno() == errno.EINVAL


class Refused(Exception):
    """nbdkit did not start, or turned a client away.  errors: the lines that
    say why."""

    def __init__(self, server):
        self.status = server.status
        self.output = server.output
        self.errors = [line for line in self.output.splitlines()
                       if 'error:' in line and 'error: warning:' not in line]
        super().__init__(self.output.strip() or 'no message')

    def problem(self, name):
        """What is wrong with the refusal of the file called name."""
        if len(self.errors) != 1:
            return '%d lines of error: %r' % (len(self.errors), self.output)
        if name not in self.errors[0]:
            return 'the message does not name the file: %r' % self.errors[0]
        return None


class Failed(Exception):
    """The server crashed, hung, or took too much."""


class Server:
    """nbdkit vhd ARGS..., from `with Server (...) as s` on."""

    def __init__(self, *args, read_only=False, options=()):
        self.command = ['nbdkit', '-f', *(['-r'] if read_only else []),
                        *options, 'vhd', *args]
        self.status = self.process = None
        self.output = ''
        self.handles = []
        self.max_rss = None

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix='vhdkit-nbd.')
        try:
            self._start()
        except BaseException:
            self._finish()
            raise
        return self

    def _start(self):
        folder = self.folder.name
        pid_file = os.path.join(folder, 'pid')
        self.socket = os.path.join(folder, 'socket')
        self.log = open(os.path.join(folder, 'log'), 'w+',
                        errors='backslashreplace')
        command = self.command[:1] + ['-U', self.socket, '-P', pid_file] + \
            self.command[1:]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log, close_fds=True)
        end = time.monotonic() + START_TIMEOUT
        while not (os.path.exists(pid_file) and os.path.getsize(pid_file)):
            if self._ended():
                raise Refused(self)
            if time.monotonic() > end:
                raise Failed('not ready after %d seconds' % START_TIMEOUT)
            time.sleep(0.003)
        # Whatever a client waits for then fails instead of hanging.
        self.watchdog = threading.Timer(LIFE_TIMEOUT, self.process.kill)
        self.watchdog.daemon = True
        self.watchdog.start()

    def _ended(self, wait=False):
        if self.status is not None:
            return True
        pid, status, usage = os.wait4(self.process.pid,
                                      0 if wait else os.WNOHANG)
        if pid == 0:
            return False
        self.status = os.waitstatus_to_exitcode(status)
        self.process.returncode = self.status
        if self.max_rss is None:
            self.max_rss = usage.ru_maxrss << 10
        self.log.seek(0)
        self.output = self.log.read()
        if self.status < 0 or SANITIZER.search(self.output):
            raise Failed('ended with status %d: %s'
                         % (self.status, self.output))
        if self.max_rss > MAX_RSS and not SANITIZED:
            raise Failed('took %d MiB of memory' % (self.max_rss >> 20))
        return True

    def _peak(self):
        """The most memory it had.  The system's count for a process that has
        ended begins with what its parent, this one, had."""
        with open('/proc/%d/status' % self.process.pid) as f:
            for line in f:
                if line.startswith('VmHWM:'):
                    return int(line.split()[1]) << 10
        return None             # it has ended already

    def connect(self, export=''):
        h = nbd.NBD()
        h.set_export_name(export)
        h.add_meta_context('base:allocation')
        h.connect_unix(self.socket)
        self.handles.append(h)
        return h

    def connect_or_refuse(self, export=''):
        """An image that only writers must not have is opened, but the first
        client that may write is turned away: that is a refusal too."""
        try:
            return self.connect(export)
        except nbd.Error:
            self.stop()
            raise Refused(self)

    def kill(self):
        """As by SIGKILL: nothing is committed."""
        self.process.kill()
        self.process.wait()
        self.status = 0

    def stop(self):
        """SIGTERM; it must end with status 0.  nbdkit waits for its clients
        to go, so they go first."""
        for h in self.handles:
            if h.aio_is_ready():
                h.shutdown()
        self.max_rss = self._peak()
        # Not Popen.terminate, which might collect the process itself.
        os.kill(self.process.pid, signal.SIGTERM)
        self._ended(wait=True)
        if self.status != 0:
            raise Failed('ended with status %d: %s'
                         % (self.status, self.output))

    def __exit__(self, kind, *_):
        try:
            if self.status is None and kind is None:
                self.stop()
        finally:
            self._finish()

    def _finish(self):
        if self.process and self.process.returncode is None:
            self.process.kill()
            self.process.wait()
        if hasattr(self, 'watchdog'):
            self.watchdog.cancel()
        if hasattr(self, 'log'):
            self.log.close()
        self.folder.cleanup()


def sha256(h, without=()):
    """Of what is served, less the ranges (offset, length) in without."""
    digest = hashlib.sha256()
    for offset, length in vhd.remaining(h.get_size(), without):
        digest.update(h.pread(length, offset))
    return digest.hexdigest()


def extents(h, offset=0, length=None):
    """(offset, length, flags) of base:allocation, in order, gapless."""
    end = h.get_size() if length is None else offset + length
    while offset < end:
        found = []
        h.block_status(min(end - offset, 1 << 31), offset,
                       lambda context, at, entries, error:
                       found.extend(entries))
        for n, flags in zip(found[::2], found[1::2]):
            n = min(n, end - offset)
            yield offset, n, flags
            offset += n


def content_by_extents(h):
    """A disk too large to read, as (length, bytes or None for zeros)."""
    for offset, length, flags in extents(h):
        if flags & nbd.STATE_ZERO:
            yield length, None
            continue
        for at in range(0, length, 1 << 20):
            n = min(1 << 20, length - at)
            yield n, h.pread(n, offset + at)


def sha256_of_content(content):
    digest = hashlib.sha256()
    zeros = memoryview(bytes(1 << 20))
    for length, data in content:
        if data is not None:
            digest.update(data)
            continue
        for at in range(0, length, 1 << 20):
            digest.update(zeros[:min(1 << 20, length - at)])
    return digest.hexdigest()


def sample(h, chain, rng, number=24):
    """Compare pieces of a disk too large to read with the reference: around
    the blocks that are there, at both ends, and anywhere.  Returns what is
    wrong, or None."""
    places = [0, max(0, chain.size - 70000)]
    for layer in chain.layers:
        if layer.table:
            size = layer.header.block_size
            places += [n * size for n, e in enumerate(layer.table)
                       if e != vhd.UNUSED][:number]
    places += [rng.randrange(chain.size) for _ in range(number)]
    for at in places:
        at = max(0, at - 3000)
        n = min(70000, chain.size - at)
        if h.pread(n, at) != chain.read(at, n):
            return 'other bytes in %d bytes at %d' % (n, at)
    return None


class Answer:
    """What a command said, within time and memory, and not by a signal."""

    def __init__(self, *command, timeout=120, expect=None):
        with tempfile.TemporaryFile() as out, \
             tempfile.TemporaryFile() as err:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=err)
            watchdog = threading.Timer(timeout, process.kill)
            watchdog.start()
            begin = time.monotonic()
            _, status, usage = os.wait4(process.pid, 0)
            self.seconds = time.monotonic() - begin
            watchdog.cancel()
            self.status = process.returncode = \
                os.waitstatus_to_exitcode(status)
            self.max_rss = usage.ru_maxrss << 10
            out.seek(0)
            err.seek(0)
            self.out = out.read()
            self.err = err.read()
        said = '%s: status %d, %r' % (' '.join(command), self.status,
                                      (self.out + self.err)[-2000:])
        if not 0 <= self.status < 124 or \
           SANITIZER.search(self.err.decode('latin-1')):
            raise Failed(said)
        if self.max_rss > MAX_RSS and not SANITIZED:
            raise Failed('%s took %d MiB' % (command, self.max_rss >> 20))
        if expect is not None and self.status not in expect:
            raise Failed('expected status %s: %s' % (expect, said))
