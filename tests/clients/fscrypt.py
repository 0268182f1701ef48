# vhdkit tests: encrypt a folder of an ext4 file system made with -O encrypt.
# SPDX-License-Identifier: BSD-3-Clause
#
#   fscrypt.py MOUNT FOLDER: FOLDER must be empty; a random key is used.
import fcntl
import os
import struct
import sys

FS_IOC_ADD_ENCRYPTION_KEY = 0xc0506617
FS_IOC_SET_ENCRYPTION_POLICY = 0x800c6613
KEY_SPEC_TYPE_IDENTIFIER = 2
AES_256_XTS, AES_256_CTS = 1, 4

key = os.urandom(64)
# struct fscrypt_add_key_arg: spec (type, reserved, 32 bytes), raw_size,
# key_id, 8 reserved words, raw.
arg = bytearray(struct.pack('II32sII32x', KEY_SPEC_TYPE_IDENTIFIER, 0, b'',
                            len(key), 0) + key)
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.ioctl(fd, FS_IOC_ADD_ENCRYPTION_KEY, arg)
identifier = bytes(arg[8:24])
os.close(fd)

# struct fscrypt_policy_v2.
policy = struct.pack('BBBB4x16s', 2, AES_256_XTS, AES_256_CTS, 0, identifier)
fd = os.open(sys.argv[2], os.O_RDONLY)
fcntl.ioctl(fd, FS_IOC_SET_ENCRYPTION_POLICY, policy)
os.close(fd)
