/* vhdkit tests: file locks, among ourselves and with qemu.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The locks belong to open file descriptions, so two stores of one process
 * exclude each other as those of two processes do.
 */
#include <config.h>

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "store/store.h"

static const char *
image_path (void)
{
  return temp_path ("disk.vhd");
}

static struct store *
open_store (bool writable)
{
  struct store *s = store_open_file (AT_FDCWD, image_path (), writable, false);

  if (s == NULL)
    fail_msg ("%s", vhdkit_get_error ());
  return s;
}

static struct store *
open_locked (bool writable, enum store_lock lock)
{
  struct store *s = open_store (writable);

  assert_ok (store_lock (s, lock));
  return s;
}

static void
assert_cannot_lock (struct store *s, enum store_lock lock, const char *words)
{
  assert_int_equal (store_lock (s, lock), -1);
  assert_last_error (VHDKIT_ERR_SHARING_VIOLATION, image_path (), words,
                     "stop that first");
  assert_int_equal (vhdkit_get_errno (), EBUSY);
}

/* What a newcomer can get now. */
static void
assert_free_for (enum store_lock lock)
{
  assert_ok (store_close (open_locked (false, lock)));
}

static void
assert_not_free_for (enum store_lock lock)
{
  struct store *s = open_store (false);

  assert_cannot_lock (s, lock, "another process");
  assert_ok (store_close (s));
}

/*----------------------------------------------------------------------
 * Among ourselves
 *--------------------------------------------------------------------*/

static void
readers_go_together (void **state)
{
  struct store *a = open_locked (false, STORE_LOCK_READ);
  struct store *b = open_locked (false, STORE_LOCK_READ);

  (void) state;
  assert_ok (store_close (a));
  assert_free_for (STORE_LOCK_READ);
  assert_ok (store_close (b));
}

static void
writer_is_alone (void **state)
{
  struct store *w = open_locked (true, STORE_LOCK_WRITE);
  struct store *other = open_store (true);

  (void) state;
  assert_cannot_lock (other, STORE_LOCK_WRITE, "in use by another process "
                      "for writing");
  assert_cannot_lock (other, STORE_LOCK_READ, "in use by another process "
                      "for writing");
  /* Its failures left nothing behind that could hinder the first. */
  assert_ok (store_lock (w, STORE_LOCK_READ));
  assert_ok (store_lock (w, STORE_LOCK_WRITE));
  assert_ok (store_close (w));
  assert_ok (store_lock (other, STORE_LOCK_WRITE));
  assert_ok (store_close (other));
}

static void
reader_keeps_writers_out (void **state)
{
  struct store *r = open_locked (false, STORE_LOCK_READ);
  struct store *w = open_store (true);

  (void) state;
  assert_cannot_lock (w, STORE_LOCK_WRITE, "cannot be written because");
  assert_ok (store_lock (r, STORE_UNLOCKED));
  assert_ok (store_lock (w, STORE_LOCK_WRITE));
  assert_ok (store_close (r));
  assert_ok (store_close (w));
}

static void
failed_change_keeps_the_old_lock (void **state)
{
  struct store *a = open_locked (true, STORE_LOCK_READ);
  struct store *b = open_locked (false, STORE_LOCK_READ);

  (void) state;
  assert_cannot_lock (a, STORE_LOCK_WRITE, "cannot be written because");
  assert_ok (store_close (b));
  assert_not_free_for (STORE_LOCK_WRITE);       /* a still reads */
  assert_free_for (STORE_LOCK_READ);            /* and does not write */
  assert_ok (store_lock (a, STORE_LOCK_WRITE));
  assert_not_free_for (STORE_LOCK_READ);
  assert_ok (store_lock (a, STORE_LOCK_READ));
  assert_free_for (STORE_LOCK_READ);
  assert_ok (store_close (a));
  assert_free_for (STORE_LOCK_WRITE);
}

/* The lock moves with the exchange of the descriptor, also while the old
 * description lives on (here by way of a duplicate, else by way of a read
 * that has begun). */
static void
upgrade (enum store_lock before, bool lock_first)
{
  struct store *s = open_locked (false, before);
  int old_description = fcntl (store_file_fd (s), F_DUPFD_CLOEXEC, 0);

  if (lock_first)
    assert_ok (store_lock (s, STORE_LOCK_WRITE));
  assert_ok (store_make_writable (s));
  if (before == STORE_LOCK_READ && !lock_first) {
    assert_free_for (STORE_LOCK_READ);
    assert_not_free_for (STORE_LOCK_WRITE);
  }
  assert_ok (store_lock (s, STORE_LOCK_WRITE));
  close (old_description);
  assert_not_free_for (STORE_LOCK_READ);
  assert_ok (store_pwrite (s, "x", 1, 0));
  assert_ok (store_close (s));
  assert_free_for (STORE_LOCK_WRITE);
}

static void
lock_survives_becoming_writable (void **state)
{
  (void) state;
  upgrade (STORE_UNLOCKED, false);
  upgrade (STORE_LOCK_READ, false);
  upgrade (STORE_LOCK_READ, true);
}

static void
other_reader_forbids_the_upgrade_only (void **state)
{
  struct store *a = open_locked (false, STORE_LOCK_READ);
  struct store *b = open_locked (false, STORE_LOCK_READ);

  (void) state;
  assert_ok (store_make_writable (a));
  assert_cannot_lock (a, STORE_LOCK_WRITE, "cannot be written because");
  assert_ok (store_close (b));
  assert_ok (store_lock (a, STORE_LOCK_WRITE));
  assert_ok (store_close (a));
}

/* A program that knows nothing of the protocol, but locks the whole file. */
static void
foreign_whole_file_lock_keeps_out (void **state)
{
  int fd = open (image_path (), O_RDWR | O_CLOEXEC);
  struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
  struct store *s = open_store (false);

  (void) state;
  assert_int_equal (fcntl (fd, F_OFD_SETLK, &fl), 0);
  assert_cannot_lock (s, STORE_LOCK_READ, "for itself alone");
  close (fd);
  assert_ok (store_lock (s, STORE_LOCK_READ));
  assert_ok (store_close (s));
}

/*----------------------------------------------------------------------
 * With qemu
 *--------------------------------------------------------------------*/

static bool
have_qemu (void)
{
  return system ("qemu-io --version >/dev/null 2>&1"
                 " && qemu-img --version >/dev/null 2>&1") == 0;
}

/* Does the command succeed, with our image as its last argument? */
static bool
command_works (const char *command)
{
  char line[700];

  snprintf (line, sizeof line, "%s %s </dev/null >/dev/null 2>&1", command,
            image_path ());
  return system (line) == 0;
}

/* A qemu-io that has the image open and waits for commands. */
struct qemu {
  pid_t pid;
  int in;                       /* closing it ends qemu-io */
};

static void
close_unless_standard (int fd)
{
  if (fd > 2)
    close (fd);
}

static struct qemu
start_qemu_io (bool writable)
{
  struct pollfd p = { .events = POLLIN };
  int in[2], out[2];
  struct qemu q;

  assert_int_equal (pipe (in), 0);
  assert_int_equal (pipe (out), 0);
  q.pid = fork ();
  assert_int_not_equal (q.pid, -1);
  if (q.pid == 0) {
    dup2 (in[0], 0);
    dup2 (out[1], 1);
    /* Any of them may be 0 or 1 itself, if those were closed. */
    close_unless_standard (in[0]);
    close_unless_standard (in[1]);
    close_unless_standard (out[0]);
    close_unless_standard (out[1]);
    execlp ("qemu-io", "qemu-io", "-f", "vpc", image_path (),
            writable ? NULL : "-r", (char *) NULL);
    _exit (127);
  }
  close (in[0]);
  close (out[1]);
  q.in = in[1];
  /* The prompt comes when the image is open. */
  p.fd = out[0];
  assert_int_equal (poll (&p, 1, 60 * 1000), 1);
  assert_true (p.revents & POLLIN);
  close (out[0]);
  return q;
}

static void
stop_qemu_io (struct qemu q)
{
  close (q.in);
  assert_int_equal (waitpid (q.pid, NULL, 0), q.pid);
}

static int
make_image (void **state)
{
  (void) state;
  if (have_qemu ())
    return command_works ("qemu-img create -q -f vpc -o size=8M") ? 0 : -1;
  return store_close (store_create_file (image_path (), 0600));
}

static int
remove_image (void **state)
{
  (void) state;
  return unlink (image_path ());
}

static void
our_writer_keeps_qemu_out (void **state)
{
  struct store *w;

  (void) state;
  if (!have_qemu ())
    skip ();
  assert_true (command_works ("qemu-img info -f vpc"));
  w = open_locked (true, STORE_LOCK_WRITE);
  assert_false (command_works ("qemu-img info -f vpc"));
  assert_true (command_works ("qemu-img info -U -f vpc"));
  assert_false (command_works ("qemu-io -f vpc -c 'write 0 512'"));
  assert_false (command_works ("qemu-io -r -f vpc -c 'read 0 512'"));
  assert_ok (store_close (w));
  assert_true (command_works ("qemu-io -f vpc -c 'write 0 512'"));
}

static void
our_reader_keeps_only_qemu_writers_out (void **state)
{
  struct store *r;

  (void) state;
  if (!have_qemu ())
    skip ();
  r = open_locked (false, STORE_LOCK_READ);
  assert_true (command_works ("qemu-img info -f vpc"));
  assert_true (command_works ("qemu-io -r -f vpc -c 'read 0 512'"));
  assert_false (command_works ("qemu-io -f vpc -c 'write 0 512'"));
  assert_ok (store_close (r));
}

static void
qemu_writer_keeps_us_out (void **state)
{
  struct qemu q;

  (void) state;
  if (!have_qemu ())
    skip ();
  q = start_qemu_io (true);
  assert_not_free_for (STORE_LOCK_WRITE);
  assert_not_free_for (STORE_LOCK_READ);
  stop_qemu_io (q);
  assert_free_for (STORE_LOCK_WRITE);
}

static void
qemu_reader_keeps_only_our_writers_out (void **state)
{
  struct qemu q;

  (void) state;
  if (!have_qemu ())
    skip ();
  q = start_qemu_io (false);
  assert_free_for (STORE_LOCK_READ);
  assert_not_free_for (STORE_LOCK_WRITE);
  stop_qemu_io (q);
}

#define ON_IMAGE(f) \
  cmocka_unit_test_setup_teardown (f, make_image, remove_image)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    ON_IMAGE (readers_go_together),
    ON_IMAGE (writer_is_alone),
    ON_IMAGE (reader_keeps_writers_out),
    ON_IMAGE (failed_change_keeps_the_old_lock),
    ON_IMAGE (lock_survives_becoming_writable),
    ON_IMAGE (other_reader_forbids_the_upgrade_only),
    ON_IMAGE (foreign_whole_file_lock_keeps_out),
    ON_IMAGE (our_writer_keeps_qemu_out),
    ON_IMAGE (our_reader_keeps_only_qemu_writers_out),
    ON_IMAGE (qemu_writer_keeps_us_out),
    ON_IMAGE (qemu_reader_keeps_only_our_writers_out),
  };

  signal (SIGPIPE, SIG_IGN);
  return cmocka_run_group_tests (tests, make_temp_dir, remove_temp_dir);
}
