/* vhdkit tests: stores, file and memory.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "have-openat2.h"
#include "base/error.h"
#include "store/store.h"

#define KiB 1024u
#define MiB (1024u * KiB)

/*----------------------------------------------------------------------
 * What every store does.  The state is a new, empty, writable one.
 *--------------------------------------------------------------------*/

static int
open_new_file (void **state)
{
  unlink (temp_path ("new"));
  *state = store_create_file (temp_path ("new"), 0600);
  return *state ? 0 : -1;
}

static int
open_new_memory (void **state)
{
  *state = store_open_memory ("memory");
  return *state ? 0 : -1;
}

static int
close_it (void **state)
{
  return store_close (*state);
}

static uint64_t
size_of (struct store *s)
{
  uint64_t size;

  assert_ok (store_size (s, &size));
  return size;
}

static void
fill (struct store *s, uint8_t byte, size_t count, uint64_t offset)
{
  uint8_t *buf = malloc (count);

  assert_non_null (buf);
  memset (buf, byte, count);
  assert_ok (store_pwrite (s, buf, count, offset));
  free (buf);
}

static void
assert_bytes (struct store *s, uint8_t byte, size_t count, uint64_t offset)
{
  uint8_t *buf = malloc (count);

  assert_non_null (buf);
  memset (buf, ~byte, count);
  assert_ok (store_pread (s, buf, count, offset));
  for (size_t i = 0; i < count; i++)
    if (buf[i] != byte)
      fail_msg ("offset %" PRIu64 ": %02x, expected %02x", offset + i, buf[i],
                byte);
  free (buf);
}

static bool
same_id (const struct store_id *a, const struct store_id *b)
{
  return a->kind != 0 && a->kind == b->kind && a->device == b->device
    && a->inode == b->inode;
}

static void
starts_empty_and_grows_by_writing (void **state)
{
  struct store *s = *state;

  assert_true (s->writable);
  assert_true (s->can_grow);
  assert_int_equal (size_of (s), 0);
  fill (s, 'a', 3, 0);
  assert_int_equal (size_of (s), 3);
  fill (s, 'b', 5, 200 * KiB + 7);
  assert_int_equal (size_of (s), 200 * KiB + 12);
  assert_bytes (s, 'a', 3, 0);
  assert_bytes (s, 0, 200 * KiB + 4, 3);
  assert_bytes (s, 'b', 5, 200 * KiB + 7);
}

/* More buffers than one system call takes, empty ones among them. */
static void
vectors_of_any_length (void **state)
{
  enum { N = 2500 };
  struct store *s = *state;
  static uint8_t out[N * 3], in[N * 3];
  struct iovec iov[N];
  size_t used = 0;

  for (size_t i = 0; i < sizeof out; i++)
    out[i] = i * 7 + i / 256;
  for (int i = 0; i < N; i++) {
    iov[i].iov_base = out + used;
    iov[i].iov_len = i % 4;
    used += i % 4;
  }
  assert_ok (store_pwritev (s, iov, N, 1));
  assert_int_equal (size_of (s), used + 1);
  for (int i = 0; i < N; i++)
    iov[i].iov_base = in + ((uint8_t *) iov[i].iov_base - out);
  assert_ok (store_preadv (s, iov, N, 1));
  assert_memory_equal (in, out, used);
}

static void
reading_past_the_end_is_an_error (void **state)
{
  struct store *s = *state;
  uint8_t buf[100];

  fill (s, 'a', 1000, 0);
  assert_int_equal (store_pread (s, buf, 100, 950), -1);
  assert_last_error (VHDKIT_ERR_IO, s->name, "1000", "past the end");
  assert_int_equal (vhdkit_get_errno (), EIO);
  assert_int_equal (store_pread (s, buf, 1, 1000), -1);
  assert_last_error (VHDKIT_ERR_IO, "1 bytes at offset 1000");
  assert_int_equal (store_pread (s, buf, 1, UINT64_MAX), -1);
  assert_last_error (VHDKIT_ERR_IO, "18446744073709551615");
  assert_ok (store_pread (s, buf, 0, 1000));
}

static void
writing_where_no_file_reaches_is_an_error (void **state)
{
  struct store *s = *state;
  uint8_t buf[2] = { 1, 2 };

  assert_int_equal (store_pwrite (s, buf, 2, INT64_MAX - 1), -1);
  assert_last_error (VHDKIT_ERR_FILE_TOO_LARGE_FOR_FS, s->name);
  assert_int_equal (store_pwrite (s, buf, 2, UINT64_MAX - 1), -1);
  assert_last_error (VHDKIT_ERR_FILE_TOO_LARGE_FOR_FS, s->name);
  assert_int_equal (store_truncate (s, UINT64_MAX), -1);
  assert_last_error (VHDKIT_ERR_FILE_TOO_LARGE_FOR_FS, s->name);
  assert_int_equal (size_of (s), 0);
}

static void
truncate_goes_either_way (void **state)
{
  struct store *s = *state;

  fill (s, 'a', 150 * KiB, 0);
  assert_ok (store_truncate (s, 70 * KiB + 1));
  assert_int_equal (size_of (s), 70 * KiB + 1);
  assert_ok (store_truncate (s, 140 * KiB));
  assert_bytes (s, 'a', 70 * KiB + 1, 0);
  assert_bytes (s, 0, 70 * KiB - 1, 70 * KiB + 1);
  assert_ok (store_truncate (s, 0));
  assert_int_equal (size_of (s), 0);
}

static void
check_zero (struct store *s, uint64_t offset, uint64_t length,
            uint32_t flags)
{
  const uint64_t size = 3 * MiB;

  fill (s, 'a', size, 0);
  if (store_zero (s, offset, length, flags) == -1) {
    /* A file system may have no fast way; then nothing has changed. */
    assert_true (flags & STORE_ZERO_FAST);
    assert_last_error (VHDKIT_ERR_NOT_SUPPORTED, s->name);
    assert_int_equal (vhdkit_get_errno (), ENOTSUP);
    assert_bytes (s, 'a', size, 0);
    return;
  }
  assert_int_equal (size_of (s), size);
  if (offset > 0)
    assert_bytes (s, 'a', offset, 0);
  if (length > 0)
    assert_bytes (s, 0, length, offset);
  if (offset + length < size)
    assert_bytes (s, 'a', size - offset - length, offset + length);
}

static void
zero_is_exact_and_never_grows (void **state)
{
  for (uint32_t flags = 0; flags < 4; flags++) {
    check_zero (*state, 0, 0, flags);
    check_zero (*state, 1, 1, flags);
    check_zero (*state, 511, 65538, flags);
    check_zero (*state, 64 * KiB, 128 * KiB, flags);
    check_zero (*state, 1000, 2 * MiB + 333, flags);
    check_zero (*state, 0, 3 * MiB, flags);
    check_zero (*state, 3 * MiB - 5, 5, flags);
    check_zero (*state, 3 * MiB, 0, flags);
  }
}

static void
zero_past_the_end_is_refused (void **state)
{
  struct store *s = *state;

  fill (s, 'a', 1000, 0);
  assert_int_equal (store_zero (s, 500, 501, 0), -1);
  assert_last_error (VHDKIT_ERR_INVALID_PARAMETER, s->name, "1000");
  assert_int_equal (store_zero (s, UINT64_MAX, 2, STORE_ZERO_PUNCH), -1);
  assert_last_error (VHDKIT_ERR_INVALID_PARAMETER, s->name);
  assert_bytes (s, 'a', 1000, 0);
  assert_int_equal (size_of (s), 1000);
}

/* Whatever the granularity, the walk covers the range, and what it calls a
 * hole is zero. */
static void
extents_find_holes (void **state)
{
  const uint64_t size = 8 * MiB;
  struct store *s = *state;
  uint64_t end, holes = 0;
  bool hole;

  fill (s, 'a', 64 * KiB, MiB);
  fill (s, 'b', 64 * KiB, 3 * MiB);
  assert_ok (store_truncate (s, size));
  for (uint64_t offset = 0; offset < size; offset = end) {
    assert_ok (store_next_extent (s, offset, size, &end, &hole));
    assert_in_range (end, offset + 1, size);
    if (hole) {
      assert_bytes (s, 0, end - offset, offset);
      holes += end - offset;
    }
  }
  assert_true (holes >= 6 * MiB);

  assert_ok (store_next_extent (s, MiB + 7, MiB + 8, &end, &hole));
  assert_int_equal (end, MiB + 8);
  assert_false (hole);
  assert_ok (store_next_extent (s, 2 * MiB, 4 * MiB, &end, &hole));
  assert_true (hole);
  assert_int_equal (end, 3 * MiB);
}

static void
usage_follows_punching (void **state)
{
  struct store *s = *state;
  uint64_t full, punched;
  int64_t mtime;

  fill (s, 'a', MiB, 0);
  assert_ok (store_flush (s));
  assert_ok (store_usage (s, &full, &mtime));
  assert_true (full >= MiB);
  assert_true (mtime > 1600000000);
  assert_ok (store_zero (s, 0, MiB - 64 * KiB, STORE_ZERO_PUNCH));
  assert_ok (store_flush (s));
  assert_ok (store_usage (s, &punched, &mtime));
  assert_true (punched < full / 4);
}

static void
read_only_is_not_written (void **state)
{
  struct store *s = *state;

  fill (s, 'a', 10, 0);
  s->writable = false;
  assert_int_equal (store_pwrite (s, "b", 1, 0), -1);
  assert_last_error (VHDKIT_ERR_READ_ONLY, s->name);
  assert_int_equal (store_zero (s, 0, 1, 0), -1);
  assert_last_error (VHDKIT_ERR_READ_ONLY, s->name);
  assert_int_equal (store_truncate (s, 0), -1);
  assert_last_error (VHDKIT_ERR_READ_ONLY, s->name);
  assert_int_equal (vhdkit_get_errno (), EPERM);
  s->writable = true;
  assert_bytes (s, 'a', 10, 0);
}

static void
hints_and_locks_are_accepted (void **state)
{
  struct store *s = *state;

  fill (s, 'a', 100, 0);
  assert_ok (store_prefetch (s, 0, 100));
  assert_ok (store_prefetch (s, UINT64_MAX - 5, 100));
  assert_ok (store_lock (s, STORE_LOCK_READ));
  assert_ok (store_lock (s, STORE_LOCK_WRITE));
  assert_ok (store_make_writable (s));
  assert_ok (store_lock (s, STORE_UNLOCKED));
}

struct thread_part {
  struct store *s;
  unsigned number;
};
enum { THREADS = 4, STRIPE = 1000, STRIPES = 300 };

static void *
write_my_stripes (void *opaque)
{
  struct thread_part *p = opaque;
  uint8_t out[STRIPE], in[STRIPE];

  for (unsigned i = p->number; i < STRIPES; i += THREADS) {
    memset (out, i + 1, sizeof out);
    if (store_pwrite (p->s, out, sizeof out, (uint64_t) i * STRIPE) == -1
        || store_pread (p->s, in, sizeof in, (uint64_t) i * STRIPE) == -1
        || memcmp (in, out, sizeof in) != 0)
      return p;
  }
  return NULL;
}

static void
many_threads_at_once (void **state)
{
  struct thread_part part[THREADS];
  pthread_t thread[THREADS];
  void *failed;

  for (unsigned i = 0; i < THREADS; i++) {
    part[i] = (struct thread_part) { *state, i };
    assert_int_equal (pthread_create (&thread[i], NULL, write_my_stripes,
                                      &part[i]), 0);
  }
  for (unsigned i = 0; i < THREADS; i++) {
    assert_int_equal (pthread_join (thread[i], &failed), 0);
    assert_null (failed);
  }
  for (unsigned i = 0; i < STRIPES; i++)
    assert_bytes (*state, i + 1, STRIPE, (uint64_t) i * STRIPE);
}

/*----------------------------------------------------------------------
 * Memory
 *--------------------------------------------------------------------*/

static void
memory_as_long_as_the_largest_disk (void **state)
{
  const uint64_t size = UINT64_C (2190433320960);
  struct store *s = *state;
  uint64_t end, allocated;
  int64_t mtime;
  bool hole;

  assert_ok (store_truncate (s, size));
  fill (s, 'a', 10, size - 10);
  assert_ok (store_next_extent (s, 0, size, &end, &hole));
  assert_true (hole);
  assert_true (end > size - MiB && end < size);
  assert_ok (store_zero (s, 0, size, 0));
  assert_ok (store_usage (s, &allocated, &mtime));
  assert_int_equal (allocated, 0);
  assert_int_equal (size_of (s), size);
}

static void
memory_identities_differ (void **state)
{
  struct store *s = *state, *other = store_open_memory ("memory");
  struct store_id a, b, c;

  assert_ok (store_identity (s, &a));
  assert_ok (store_identity (s, &b));
  assert_ok (store_identity (other, &c));
  assert_true (same_id (&a, &b));
  assert_false (same_id (&a, &c));
  assert_int_equal (store_file_fd (s), -1);
  assert_ok (store_close (other));
}

/*----------------------------------------------------------------------
 * Files
 *--------------------------------------------------------------------*/

static void
make_file (const char *name, const char *content)
{
  struct store *s = store_create_file (temp_path (name), 0600);

  assert_non_null (s);
  assert_ok (store_pwrite (s, content, strlen (content), 0));
  assert_ok (store_close (s));
}

static void
assert_not_virtual_disk (const char *path, const char *what)
{
  for (int writable = 0; writable < 2; writable++)
    for (int beneath = 0; beneath < 1 + have_openat2 (); beneath++) {
      const char *name = beneath && *path == '/' ? strrchr (path, '/') + 1
        : path;
      int dirfd = AT_FDCWD;

      if (name != path) {
        char *dir = strndup (path, name - path);
        dirfd = open (dir, O_PATH | O_CLOEXEC);
        free (dir);
      }
      alarm (20);               /* it must not wait for another end */
      assert_null (store_open_file (dirfd, name, writable, beneath));
      alarm (0);
      assert_last_error (VHDKIT_ERR_NOT_VIRTUAL_DISK, name, what);
      if (dirfd != AT_FDCWD)
        close (dirfd);
    }
}

static void
only_files_and_block_devices_open (void **state)
{
  struct sockaddr_un addr = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  (void) state;
  assert_int_equal (mkfifo (temp_path ("fifo"), 0600), 0);
  snprintf (addr.sun_path, sizeof addr.sun_path, "%.90s/sock", temp_dir);
  assert_int_equal (bind (fd, (struct sockaddr *) &addr, sizeof addr), 0);

  assert_not_virtual_disk (temp_path ("fifo"), "FIFO");
  assert_not_virtual_disk (addr.sun_path, "socket");
  assert_not_virtual_disk (temp_dir, "directory");
  assert_not_virtual_disk ("/dev/null", "character device");
  close (fd);
}

static void
missing_file_is_not_found (void **state)
{
  (void) state;
  assert_null (store_open_file (AT_FDCWD, temp_path ("absent"), false,
                                false));
  assert_last_error (VHDKIT_ERR_FILE_NOT_FOUND, temp_path ("absent"));
}

static void
create_refuses_what_is_there (void **state)
{
  (void) state;
  make_file ("there", "x");
  assert_null (store_create_file (temp_path ("there"), 0600));
  assert_last_error (VHDKIT_ERR_EXISTS, temp_path ("there"));
  assert_int_equal (symlink ("nowhere", temp_path ("dangling")), 0);
  assert_null (store_create_file (temp_path ("dangling"), 0600));
  assert_last_error (VHDKIT_ERR_EXISTS, temp_path ("dangling"));
  assert_int_not_equal (access (temp_path ("nowhere"), F_OK), 0);
  assert_null (store_create_file (temp_dir, 0600));
  assert_last_error (VHDKIT_ERR_EXISTS, temp_dir);
  assert_null (store_create_file (temp_path ("absent/new"), 0600));
  assert_last_error (VHDKIT_ERR_FILE_NOT_FOUND, "absent/new");
}

static void
create_honours_mode_and_umask (void **state)
{
  mode_t old = umask (027);
  struct store *s = store_create_file (temp_path ("mode"), 0666);
  struct stat st;

  (void) state;
  umask (old);
  assert_non_null (s);
  assert_int_equal (fstat (store_file_fd (s), &st), 0);
  assert_int_equal (st.st_mode & 07777, 0640);
  assert_true (fcntl (store_file_fd (s), F_GETFD) & FD_CLOEXEC);
  assert_ok (store_close (s));
}

static void
open_beneath_and_close (int dirfd, const char *path)
{
  struct store *s = store_open_file (dirfd, path, false, true);

  if (s == NULL)
    fail_msg ("%s", vhdkit_get_error ());
  assert_bytes (s, 'x', 1, 0);
  assert_ok (store_close (s));
}

static void
beneath_keeps_inside (void **state)
{
  static const char *const outside[] = {
    "../outside", "sub/../../outside", "link-out", "link-absolute",
    "link-dir/outside", "/etc/passwd", "link-magic",
  };
  int dirfd;

  (void) state;
  if (!have_openat2 ())
    skip ();
  make_file ("outside", "x");
  assert_int_equal (mkdir (temp_path ("in"), 0700), 0);
  assert_int_equal (mkdir (temp_path ("in/sub"), 0700), 0);
  make_file ("in/file", "x");
  assert_int_equal (symlink ("../file", temp_path ("in/sub/link")), 0);
  assert_int_equal (symlink ("../outside", temp_path ("in/link-out")), 0);
  assert_int_equal (symlink ("..", temp_path ("in/link-dir")), 0);
  assert_int_equal (symlink (temp_path ("in/file"),
                             temp_path ("in/link-absolute")), 0);
  assert_int_equal (symlink ("/proc/self/exe", temp_path ("in/link-magic")),
                    0);
  dirfd = open (temp_path ("in"), O_PATH | O_DIRECTORY | O_CLOEXEC);
  assert_true (dirfd >= 0);

  open_beneath_and_close (dirfd, "file");
  open_beneath_and_close (dirfd, "sub/../file");
  open_beneath_and_close (dirfd, "sub/link");
  for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
    assert_null (store_open_file (dirfd, outside[i], false, true));
    assert_last_error (VHDKIT_ERR_ACCESS_DENIED, outside[i],
                       "leads outside of the allowed directory");
  }
  close (dirfd);
}

static void
identity_is_of_the_file_not_the_path (void **state)
{
  struct store *a, *b, *c;
  struct store_id ia, ib, ic;

  (void) state;
  make_file ("one", "x");
  make_file ("two", "x");
  assert_int_equal (link (temp_path ("one"), temp_path ("hard")), 0);
  a = store_open_file (AT_FDCWD, temp_path ("one"), false, false);
  b = store_open_file (AT_FDCWD, temp_path ("hard"), false, false);
  c = store_open_file (AT_FDCWD, temp_path ("two"), false, false);
  assert_ok (store_identity (a, &ia));
  assert_ok (store_identity (b, &ib));
  assert_ok (store_identity (c, &ic));
  assert_true (same_id (&ia, &ib));
  assert_false (same_id (&ia, &ic));
  assert_ok (store_close (a));
  assert_ok (store_close (b));
  assert_ok (store_close (c));
}

static void
becomes_writable_though_renamed_and_replaced (void **state)
{
  struct store *s;

  (void) state;
  make_file ("before", "abc");
  s = store_open_file (AT_FDCWD, temp_path ("before"), false, false);
  assert_non_null (s);
  assert_false (s->writable);
  assert_int_equal (unlink (temp_path ("before")), 0);
  make_file ("before", "another");

  assert_ok (store_make_writable (s));
  assert_true (s->writable);
  assert_ok (store_pwrite (s, "X", 1, 1));
  assert_bytes (s, 'X', 1, 1);
  assert_int_equal (size_of (s), 3);
  assert_true (fcntl (store_file_fd (s), F_GETFD) & FD_CLOEXEC);
  assert_ok (store_close (s));
  s = store_open_file (AT_FDCWD, temp_path ("before"), false, false);
  assert_bytes (s, 'n', 1, 1);
  assert_ok (store_close (s));
}

static atomic_bool stop_reading;

static void *
read_on (void *opaque)
{
  char c;

  while (!stop_reading)
    if (store_pread (opaque, &c, 1, 2) == -1 || c != 'c')
      return opaque;
  return NULL;
}

static void
becomes_writable_while_others_read (void **state)
{
  pthread_t thread;
  struct store *s;
  void *failed;

  (void) state;
  make_file ("busy", "abc");
  for (int i = 0; i < 50; i++) {
    s = store_open_file (AT_FDCWD, temp_path ("busy"), false, false);
    assert_non_null (s);
    stop_reading = false;
    assert_int_equal (pthread_create (&thread, NULL, read_on, s), 0);
    assert_ok (store_make_writable (s));
    assert_ok (store_pwrite (s, "A", 1, 0));
    stop_reading = true;
    assert_int_equal (pthread_join (thread, &failed), 0);
    assert_null (failed);
    assert_ok (store_close (s));
  }
}

static void
stays_read_only_without_permission (void **state)
{
  struct store *s;

  (void) state;
  if (geteuid () == 0)
    skip ();
  make_file ("guarded", "abc");
  assert_int_equal (chmod (temp_path ("guarded"), 0400), 0);
  s = store_open_file (AT_FDCWD, temp_path ("guarded"), false, false);
  assert_non_null (s);
  assert_ok (store_lock (s, STORE_LOCK_READ));
  assert_int_equal (store_make_writable (s), -1);
  assert_last_error (VHDKIT_ERR_ACCESS_DENIED, "guarded");
  assert_false (s->writable);
  assert_bytes (s, 'a', 1, 0);
  assert_ok (store_close (s));
}

/* A limit on the size of files makes the kernel write up to it (a short
 * count) and then fail with EFBIG. */
static void
short_writes_are_continued_to_the_error (void **state)
{
  const struct rlimit limit = { 100000, RLIM_INFINITY };
  struct rlimit old;
  struct store *s = *state;
  uint8_t buf[3][50000];
  struct iovec iov[3] = { { buf[0], 50000 }, { buf[1], 50000 },
                          { buf[2], 50000 } };
  int r;

  memset (buf, 'z', sizeof buf);
  signal (SIGXFSZ, SIG_IGN);
  assert_int_equal (getrlimit (RLIMIT_FSIZE, &old), 0);
  if (setrlimit (RLIMIT_FSIZE, &limit) == -1)
    skip ();
  r = store_pwritev (s, iov, 3, 10);
  assert_int_equal (setrlimit (RLIMIT_FSIZE, &old), 0);
  assert_int_equal (r, -1);
  assert_last_error (VHDKIT_ERR_FILE_TOO_LARGE_FOR_FS, s->name,
                     "50010 bytes at offset 100000");
  assert_int_equal (size_of (s), 100000);
  assert_bytes (s, 'z', 99990, 10);
}

/*----------------------------------------------------------------------
 * File systems and devices with less abilities
 *--------------------------------------------------------------------*/

/* A small tmpfs that only this process sees, or skip. */
static int
open_on_small_tmpfs (void **state)
{
  *state = NULL;
  if (geteuid () != 0 || unshare (CLONE_NEWNS) == -1
      || mount ("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
    return 0;
  mkdir (temp_path ("small"), 0700);
  if (mount ("none", temp_path ("small"), "tmpfs", 0, "size=4M") == -1)
    return 0;
  *state = store_create_file (temp_path ("small/file"), 0600);
  return *state ? 0 : -1;
}

static int
close_small_tmpfs (void **state)
{
  if (*state == NULL)
    return 0;
  return store_close (*state) == 0 && umount (temp_path ("small")) == 0
    ? 0 : -1;
}

/* tmpfs punches holes but has no zero range. */
static void
zero_without_zero_range (void **state)
{
  struct store *s = *state;

  if (s == NULL)
    skip ();
  zero_is_exact_and_never_grows (state);
  fill (s, 'a', 1000, 0);
  assert_int_equal (store_zero (s, 0, 1000, STORE_ZERO_FAST), -1);
  assert_last_error (VHDKIT_ERR_NOT_SUPPORTED, s->name, "no fast way");
  assert_bytes (s, 'a', 1000, 0);
  assert_ok (store_zero (s, 0, 1000, STORE_ZERO_FAST | STORE_ZERO_PUNCH));
  assert_bytes (s, 0, 1000, 0);
}

static void
full_file_system_is_no_space (void **state)
{
  struct store *s = *state;
  static uint8_t buf[64 * 1024];
  uint64_t offset = 0;

  if (s == NULL)
    skip ();
  while (store_pwrite (s, buf, sizeof buf, offset) == 0) {
    offset += sizeof buf;
    assert_true (offset <= 8 * MiB);
  }
  assert_last_error (VHDKIT_ERR_DISK_FULL, s->name);
  assert_int_equal (vhdkit_get_errno (), ENOSPC);
  assert_ok (store_zero (s, 0, MiB, STORE_ZERO_PUNCH));
  assert_ok (store_pwrite (s, buf, sizeof buf, 0));
}

/* A loop device over a file in the temporary directory, or skip. */
static char loop_device[64];

static int
attach_loop_device (void **state)
{
  char command[700];
  FILE *f;

  loop_device[0] = '\0';
  *state = NULL;
  if (geteuid () != 0)
    return 0;
  snprintf (command, sizeof command,
            "truncate -s 3M %s && losetup -f --show %s 2>/dev/null",
            temp_path ("loop"), temp_path ("loop"));
  f = popen (command, "r");
  if (f && fgets (loop_device, sizeof loop_device, f))
    loop_device[strcspn (loop_device, "\n")] = '\0';
  if (f)
    pclose (f);
  if (loop_device[0] == '\0')
    return 0;
  *state = store_open_file (AT_FDCWD, loop_device, true, false);
  return *state ? 0 : -1;
}

static int
detach_loop_device (void **state)
{
  char command[100];

  if (*state == NULL)
    return 0;
  snprintf (command, sizeof command, "losetup -d %s", loop_device);
  return store_close (*state) == 0 && system (command) == 0 ? 0 : -1;
}

static void
block_device_has_a_fixed_size (void **state)
{
  struct store *s = *state;
  struct store_id id;
  uint64_t end, allocated;
  int64_t mtime;
  bool hole;

  if (s == NULL)
    skip ();
  assert_false (s->can_grow);
  assert_int_equal (size_of (s), 3 * MiB);
  assert_int_equal (store_truncate (s, 2 * MiB), -1);
  assert_last_error (VHDKIT_ERR_NOT_SUPPORTED, loop_device, "block device");
  assert_ok (store_identity (s, &id));
  assert_int_not_equal (id.kind, 0);
  assert_ok (store_next_extent (s, 0, 3 * MiB, &end, &hole));
  assert_true (!hole && end == 3 * MiB);
  assert_ok (store_usage (s, &allocated, &mtime));
  assert_int_equal (allocated, 3 * MiB);
  zero_is_exact_and_never_grows (state);
  assert_int_equal (store_pwrite (s, "ab", 2, 3 * MiB - 1), -1);
  assert_last_error (VHDKIT_ERR_DISK_FULL, loop_device);
  assert_ok (store_flush (s));
}

#define ON_FILE(f) { #f " (file)", f, open_new_file, close_it, NULL }
#define ON_MEMORY(f) { #f " (memory)", f, open_new_memory, close_it, NULL }
#define ON_BOTH(f) ON_FILE (f), ON_MEMORY (f)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    ON_BOTH (starts_empty_and_grows_by_writing),
    ON_BOTH (vectors_of_any_length),
    ON_BOTH (reading_past_the_end_is_an_error),
    ON_BOTH (writing_where_no_file_reaches_is_an_error),
    ON_BOTH (truncate_goes_either_way),
    ON_BOTH (zero_is_exact_and_never_grows),
    ON_BOTH (zero_past_the_end_is_refused),
    ON_BOTH (extents_find_holes),
    ON_BOTH (usage_follows_punching),
    ON_BOTH (read_only_is_not_written),
    ON_BOTH (hints_and_locks_are_accepted),
    ON_BOTH (many_threads_at_once),
    ON_MEMORY (memory_as_long_as_the_largest_disk),
    ON_MEMORY (memory_identities_differ),
    ON_FILE (short_writes_are_continued_to_the_error),
    cmocka_unit_test (only_files_and_block_devices_open),
    cmocka_unit_test (missing_file_is_not_found),
    cmocka_unit_test (create_refuses_what_is_there),
    cmocka_unit_test (create_honours_mode_and_umask),
    cmocka_unit_test (beneath_keeps_inside),
    cmocka_unit_test (identity_is_of_the_file_not_the_path),
    cmocka_unit_test (becomes_writable_though_renamed_and_replaced),
    cmocka_unit_test (becomes_writable_while_others_read),
    cmocka_unit_test (stays_read_only_without_permission),
    cmocka_unit_test_setup_teardown (block_device_has_a_fixed_size,
                                     attach_loop_device, detach_loop_device),
    cmocka_unit_test_setup_teardown (zero_without_zero_range,
                                     open_on_small_tmpfs, close_small_tmpfs),
    cmocka_unit_test_setup_teardown (full_file_system_is_no_space,
                                     open_on_small_tmpfs, close_small_tmpfs),
  };

  return cmocka_run_group_tests (tests, make_temp_dir, remove_temp_dir);
}
