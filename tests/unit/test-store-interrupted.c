/* vhdkit tests: system calls that are interrupted, and that do half the work.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The linker puts the functions below in front of the real ones (see
 * Makefile.am).  Each call is first interrupted, twice; a transfer then moves
 * a few bytes only.  Nobody above the store may notice.
 */
#include <config.h>

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

#include "store/store.h"

static unsigned turn, interrupted, shortened;
static uint64_t seed = 1;

static bool
interrupt (void)
{
  if (turn++ % 3 == 2)
    return false;
  interrupted++;
  errno = EINTR;
  return true;
}

typedef ssize_t transfer_fn (int fd, const struct iovec *iov, int n,
                             off_t offset);

/* The first 1 to 700 bytes, over as many buffers as that takes. */
static ssize_t
a_little (transfer_fn *fn, int fd, const struct iovec *iov, int n,
          off_t offset)
{
  struct iovec some[8];
  size_t left;
  int k;

  if (interrupt ())
    return -1;
  seed = seed * UINT64_C (6364136223846793005) + 1;
  left = 1 + (seed >> 33) % 700;
  for (k = 0; k < n && k < 8 && left > 0; k++) {
    some[k] = iov[k];
    if (some[k].iov_len > left) {
      some[k].iov_len = left;
      shortened++;
    }
    left -= some[k].iov_len;
  }
  return fn (fd, some, k, offset);
}

extern ssize_t __wrap_pread (int fd, void *buf, size_t count, off_t offset);
extern ssize_t __wrap_pwrite (int fd, const void *buf, size_t count,
                              off_t offset);
extern transfer_fn __real_preadv, __wrap_preadv;
extern transfer_fn __real_pwritev, __wrap_pwritev;
extern int __real_fdatasync (int fd), __wrap_fdatasync (int fd);
extern int __real_fsync (int fd), __wrap_fsync (int fd);
extern int __real_ftruncate (int fd, off_t size);
extern int __wrap_ftruncate (int fd, off_t size);
extern int __real_fallocate (int fd, int mode, off_t offset, off_t length);
extern int __wrap_fallocate (int fd, int mode, off_t offset, off_t length);

ssize_t
__wrap_pread (int fd, void *buf, size_t count, off_t offset)
{
  const struct iovec all = { buf, count };

  return a_little (__real_preadv, fd, &all, 1, offset);
}

ssize_t
__wrap_pwrite (int fd, const void *buf, size_t count, off_t offset)
{
  const struct iovec all = { (void *) buf, count };

  return a_little (__real_pwritev, fd, &all, 1, offset);
}

ssize_t
__wrap_preadv (int fd, const struct iovec *iov, int n, off_t offset)
{
  return a_little (__real_preadv, fd, iov, n, offset);
}

ssize_t
__wrap_pwritev (int fd, const struct iovec *iov, int n, off_t offset)
{
  return a_little (__real_pwritev, fd, iov, n, offset);
}

int
__wrap_fdatasync (int fd)
{
  return interrupt () ? -1 : __real_fdatasync (fd);
}

int
__wrap_fsync (int fd)
{
  return interrupt () ? -1 : __real_fsync (fd);
}

int
__wrap_ftruncate (int fd, off_t size)
{
  return interrupt () ? -1 : __real_ftruncate (fd, size);
}

int
__wrap_fallocate (int fd, int mode, off_t offset, off_t length)
{
  return interrupt () ? -1 : __real_fallocate (fd, mode, offset, length);
}

#define SIZE 40000u

static uint8_t
byte_at (size_t k)
{
  return k * 31 ^ k >> 8;
}

/* A vector of many lengths, empty ones among them. */
static int
make_vector (uint8_t *buf, struct iovec *iov, unsigned n)
{
  size_t at = 0;
  unsigned k;

  for (k = 0; k < n; k++) {
    iov[k].iov_base = buf + at;
    iov[k].iov_len = k == n - 1 ? SIZE - at : k % 5 * 300;
    at += iov[k].iov_len;
  }
  return n;
}

static void
nobody_notices (void **state)
{
  static uint8_t buf[SIZE];
  struct store *s = store_create_file (temp_path ("file"), 0600);
  struct iovec iov[30];
  uint64_t size;
  size_t k;

  (void) state;
  assert_non_null (s);
  for (k = 0; k < SIZE; k++)
    buf[k] = byte_at (k);
  assert_ok (store_pwritev (s, iov, make_vector (buf, iov, 30), 77));
  assert_ok (store_flush (s));
  assert_ok (store_size (s, &size));
  assert_int_equal (size, 77 + SIZE);

  memset (buf, 0, sizeof buf);
  assert_ok (store_preadv (s, iov, make_vector (buf, iov, 17), 77));
  for (k = 0; k < SIZE; k++)
    assert_int_equal (buf[k], byte_at (k));

  assert_ok (store_zero (s, 1000, 30000, STORE_ZERO_PUNCH));
  assert_ok (store_zero (s, 500, 700, 0));
  assert_ok (store_truncate (s, SIZE));
  assert_ok (store_pread (s, buf, SIZE, 0));
  for (k = 77; k < SIZE; k++)
    assert_int_equal (buf[k], k >= 500 && k < 31000 ? 0 : byte_at (k - 77));
  assert_ok (store_close (s));
  print_message ("%u interruptions, %u short transfers\n", interrupted,
                 shortened);
  assert_true (interrupted > 100 && shortened > 100);
}

/* What is missing at the end is still an error, and the whole of it. */
static void
the_end_is_the_end (void **state)
{
  struct store *s = store_create_file (temp_path ("short"), 0600);
  uint8_t buf[5000] = { 0 };

  (void) state;
  assert_non_null (s);
  assert_ok (store_pwrite (s, buf, 4000, 0));
  assert_int_equal (store_pread (s, buf, 5000, 0), -1);
  assert_last_error (VHDKIT_ERR_IO, "past the end");
  assert_ok (store_close (s));
}

/* A new image does not go by way of a store. */
static void
nor_who_creates (void **state)
{
  struct vhdkit_create_options o = {
    .struct_size = sizeof o, .size = 3 << 20
  };

  (void) state;
  o.type = VHDKIT_TYPE_DYNAMIC;
  assert_ok (vhdkit_create_image (temp_path ("dynamic.vhd"), &o));
  o.type = VHDKIT_TYPE_FIXED;
  assert_ok (vhdkit_create_image (temp_path ("fixed.vhd"), &o));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (nobody_notices),
    cmocka_unit_test (the_end_is_the_end),
    cmocka_unit_test (nor_who_creates),
  };

  return cmocka_run_group_tests (tests, make_temp_dir, remove_temp_dir);
}
