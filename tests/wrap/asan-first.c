/* vhdkit: start AddressSanitizer before any library is initialized.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Loaded into nbdkit with libasan (see nbdkit.in here) and linked so that it
 * is initialized first.  All it does is what the compiler adds to it: start
 * the run time.  Without, the first malloc would: that of libp11-kit, which
 * comes with nbdkit, calls newlocale when it is initialized, and the C library
 * holds a lock at that point that starting the run time takes again (through
 * dlerror) and leaves damaged.  A later newlocale or freelocale then hangs.
 */
extern int vhdkit_asan_first;
int vhdkit_asan_first;
