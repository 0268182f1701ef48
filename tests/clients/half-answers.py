"""Run a command beside an NBD server that leaves out half of what is read.

  half-answers.py SIZE ERRNO COMMAND...

ERRNO 0: it says that every read succeeded, and sends the first half.  Else it
sends that error.  Its URI is in $uri; ends with the status of COMMAND.
"""
# SPDX-License-Identifier: BSD-3-Clause
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

size, errno = int(sys.argv[1]), int(sys.argv[2])
OPT_STRUCTURED, OPT_GO = 8, 7
REP_ACK, REP_INFO, REP_UNSUPPORTED = 1, 3, 0x80000001
HAS_FLAGS_READ_ONLY = 3
CMD_READ, CMD_DISCONNECT = 0, 2
DONE, OFFSET_DATA, ERROR = 1, 1, 0x8001


def receive(conn, count):
    data = b''
    while len(data) < count:
        piece = conn.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def negotiate(conn):
    conn.sendall(b'NBDMAGICIHAVEOPT' + struct.pack('>H', 3))
    receive(conn, 4)
    while True:
        _, option, length = struct.unpack('>QII', receive(conn, 16))
        receive(conn, length)

        def reply(kind, data=b''):
            conn.sendall(struct.pack('>QIII', 0x3e889045565a9, option, kind,
                                     len(data)) + data)
        if option == OPT_STRUCTURED:
            reply(REP_ACK)
        elif option == OPT_GO:
            reply(REP_INFO, struct.pack('>HQH', 0, size, HAS_FLAGS_READ_ONLY))
            reply(REP_ACK)
            return
        else:
            reply(REP_UNSUPPORTED)


def serve(conn):
    negotiate(conn)
    while True:
        _, _, command, cookie, offset, count = struct.unpack(
            '>IHHQQI', receive(conn, 28))
        if command == CMD_DISCONNECT:
            return
        assert command == CMD_READ
        if errno:
            kind, data = ERROR, struct.pack('>IH', errno, 0)
        else:
            kind = OFFSET_DATA
            data = struct.pack('>Q', offset) + b'x' * (count // 2)
        conn.sendall(struct.pack('>IHHQI', 0x668e33ef, DONE, kind, cookie,
                                 len(data)) + data)


def accept(listener):
    while True:
        conn, _ = listener.accept()
        with conn:
            try:
                serve(conn)
            except (EOFError, OSError):
                pass


with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, 'socket')
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
    os.environ['uri'] = 'nbd+unix:///?socket=' + path
    status = subprocess.call(sys.argv[3:])
sys.exit(status)
