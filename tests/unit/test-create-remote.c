/* vhdkit tests: vhdkit_create from a server that takes its time.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * What a copy from a server is like: ../test-copy-nbd.sh.
 */
#include <config.h>

#include "unit.h"
#include "create-calls.h"
#include "task-ops.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Sanitizers and busy machines are slow; a server that does not answer is
 * slower than any, and nobody below ever does. */
#define SOON_MS 100000

/*----------------------------------------------------------------------
 * A server that accepts, and never says a word
 *--------------------------------------------------------------------*/

static int listener = -1;
static char mute_uri[400];

static void
start_mute_server (void)
{
  struct sockaddr_un a = { .sun_family = AF_UNIX };

  snprintf (a.sun_path, sizeof a.sun_path, "%s", temp_path ("mute.sock"));
  snprintf (mute_uri, sizeof mute_uri, "nbd+unix:///?socket=%s", a.sun_path);
  listener = socket (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  assert_true (listener >= 0);
  assert_int_equal (bind (listener, (struct sockaddr *) &a, sizeof a), 0);
  assert_int_equal (listen (listener, 64), 0);
}

static void
await_visitor (void)
{
  struct pollfd p = { .fd = listener, .events = POLLIN };

  assert_int_equal (poll (&p, 1, SOON_MS), 1);
}

/* How many have come, and go now. */
static int
visitors (void)
{
  int n, fd;

  for (n = 0; (fd = accept (listener, NULL, NULL)) >= 0; n++)
    close (fd);
  return n;
}

/*----------------------------------------------------------------------
 * A name server that does not answer.  The program's own functions go before
 * those of the C library.
 *--------------------------------------------------------------------*/

static atomic_bool answer;
static atomic_int asking, asked;

extern int getaddrinfo (const char *node, const char *service,
                        const struct addrinfo *hints, struct addrinfo **res);
int
getaddrinfo (const char *node, const char *service,
             const struct addrinfo *hints, struct addrinfo **res)
{
  (void) node;
  (void) service;
  (void) hints;
  (void) res;
  asking++;
  asked++;
  while (!answer)
    usleep (1000);
  asking--;
  return EAI_AGAIN;
}

/*----------------------------------------------------------------------*/

static int
setup (void **state)
{
  if (make_temp_dir (state) == -1)
    return -1;
  start_mute_server ();
  return 0;
}

static int
teardown (void **state)
{
  close (listener);
  return remove_temp_dir (state);
}

static struct vhdkit_create_parameters
remote_parameters (const char *uri)
{
  struct vhdkit_create_parameters p = parameters ();

  p.source_path = uri;
  p.maximum_size = 0;
  return p;
}

static void
need_libnbd (void)
{
#ifndef HAVE_LIBNBD
  skip ();
#endif
}

/* A task that creates name from uri. */
static vhdkit_task *
start_create (vhdkit_context *ctx, const char *name, const char *uri,
              vhdkit_disk **disk)
{
  struct vhdkit_create_parameters p = remote_parameters (uri);
  vhdkit_task *t;

  p.context = ctx;
  p.host_flags = VHDKIT_HOST_CREATE_FOLDER;
  assert_ok (vhdkit_create (temp_path (name), &p, &t, disk));
  return t;
}

/* B-085: also while the server of the source says nothing: the call returns
 * a task at once, and cancelling it leaves nothing */
static void
B_085_mute_source (void **state)
{
  vhdkit_disk *disk = (vhdkit_disk *) &disk;
  const int64_t begun = now_ms ();
  struct vhdkit_task_info s;
  vhdkit_task *t;

  (void) state;
  need_libnbd ();
  t = start_create (NULL, "folder/new.vhd", mute_uri, &disk);
  await_visitor ();
  assert_int_equal (vhdkit_task_wait (t, 100), -1);
  assert_last_error (VHDKIT_ERR_TIMED_OUT, "new.vhd from a copy");
  s = status_of (t);
  assert_int_equal (s.percent, 0);
  assert_int_equal (s.total_bytes, 0);  /* nobody knows */
  assert_int_equal (vhdkit_tasks_count (NULL), 1);

  assert_ok (vhdkit_task_cancel (t));
  assert_ended (t, VHDKIT_RESULT_CANCELLED, VHDKIT_ERR_CANCELLED);
  assert_in_range (now_ms () - begun, 0, SOON_MS);
  assert_last_error (VHDKIT_ERR_CANCELLED, "mute.sock");
  vhdkit_task_free (t);
  assert_ptr_equal (disk, &disk);
  assert_absent ("folder");
  assert_int_equal (visitors (), 1);
}

/* The same for a name that is never found: what cannot be interrupted is left
 * behind. */
static void
a_mute_name_server (void **state)
{
  const int64_t begun = now_ms ();
  vhdkit_disk *disk = NULL;
  vhdkit_task *t;

  (void) state;
  need_libnbd ();
  t = start_create (NULL, "new.vhd", "nbd://nobody.invalid/", &disk);
  wait_until (&asked, 1);
  assert_ok (vhdkit_task_cancel (t));
  assert_ended (t, VHDKIT_RESULT_CANCELLED, VHDKIT_ERR_CANCELLED);
  assert_in_range (now_ms () - begun, 0, SOON_MS);
  vhdkit_task_free (t);

  t = start_create (NULL, "new.vhd", "nbd://nobody.invalid/", &disk);
  wait_until (&asked, 2);
  answer = true;                /* there is no such name */
  assert_ok (vhdkit_task_wait (t, -1));
  assert_last_error (vhdkit_task_error (t), "nobody.invalid");
  assert_int_not_equal (vhdkit_task_error (t), VHDKIT_OK);
  assert_int_not_equal (vhdkit_task_error (t), VHDKIT_ERR_CANCELLED);
  vhdkit_task_free (t);
  wait_until (&asking, 0);
  assert_absent ("new.vhd");
  assert_null (disk);
}

static void
a_shutdown_does_not_wait_for_servers (void **state)
{
  vhdkit_context *ctx;
  vhdkit_disk *disk = NULL;
  vhdkit_task *t[6];
  char name[20];
  size_t i;
  int64_t begun;

  (void) state;
  need_libnbd ();
  ctx = new_context (3);
  for (i = 0; i < 6; i++) {
    snprintf (name, sizeof name, "new%zu.vhd", i);
    t[i] = start_create (ctx, name, mute_uri, &disk);
  }
  assert_int_equal (vhdkit_task_wait (t[0], 50), -1);
  begun = now_ms ();
  vhdkit_context_free (ctx);
  assert_in_range (now_ms () - begun, 0, SOON_MS);
  for (i = 0; i < 6; i++) {
    assert_ended (t[i], VHDKIT_RESULT_SHUTDOWN_ABORT,
                  VHDKIT_ERR_SHUTTING_DOWN);
    vhdkit_task_free (t[i]);
  }
  assert_null (disk);
  visitors ();
}

/* What needs no server is refused by the call, and nobody is asked.  First of
 * all, before there are threads that were left behind and may still knock. */
static void
arguments_are_refused_at_once (void **state)
{
  struct vhdkit_create_parameters p = remote_parameters (mute_uri);
  struct vhdkit_create_parameters old = parameters ();
  vhdkit_disk *disk = NULL;
  vhdkit_task *t = NULL;

  (void) state;
  p.maximum_size = 3 * MiB - 512;
  create_refused ("new.vhd", &p, VHDKIT_ERR_SIZE_TOO_SMALL, "too small");
  p.maximum_size = MAX_SIZE + 512;
  create_refused ("new.vhd", &p, VHDKIT_ERR_SIZE_TOO_LARGE, "maximum_size");
  p.maximum_size = 0;
  p.block_size = 4096;
  create_invalid ("new.vhd", &p, "block_size");
  p.block_size = 0;
  create_refused ("no/such/new.vhd", &p, VHDKIT_ERR_PATH_NOT_FOUND, "no/such");

  create_ok ("old.vhd", &old);
  assert_int_equal (vhdkit_create (temp_path ("old.vhd"), &p, &t, &disk), -1);
  assert_last_error (VHDKIT_ERR_EXISTS, "old.vhd");
  assert_int_equal (vhdkit_create (temp_path ("old.vhd"), &p, NULL, &disk),
                    -1);
  assert_last_error (VHDKIT_ERR_EXISTS, "old.vhd");
  assert_null (t);
  assert_null (disk);
  assert_int_equal (visitors (), 0);
}

/* What goes wrong with a server is the error of the task, and of the call
 * where there is none. */
static void
no_server_is_an_error_of_the_task (void **state)
{
  struct vhdkit_create_parameters p;
  vhdkit_disk *disk = NULL;
  enum vhdkit_error error;
  char uri[400];
  vhdkit_task *t;

  (void) state;
  snprintf (uri, sizeof uri, "nbd+unix:///?socket=%s",
            temp_path ("nobody.sock"));
  p = remote_parameters (uri);
  t = start_create (NULL, "folder/new.vhd", uri, &disk);
  memset (uri, 'x', 8);         /* no longer needed */
  assert_ok (vhdkit_task_wait (t, -1));
  error = vhdkit_task_error (t);
  assert_last_error (error, "nbd+unix:");
#ifdef HAVE_LIBNBD
  assert_last_error (VHDKIT_ERR_FILE_NOT_FOUND, "nobody.sock");
  assert_int_equal (vhdkit_task_result (t), VHDKIT_RESULT_ILLEGAL_VALUE);
#else
  assert_last_error (VHDKIT_ERR_NOT_SUPPORTED, "libnbd");
#endif
  vhdkit_task_free (t);
  assert_absent ("folder");

  memcpy (uri, "nbd+unix", 8);
  assert_int_equal (vhdkit_create (temp_path ("new.vhd"), &p, NULL, &disk),
                    -1);
  assert_last_error (error, "nbd+unix:");
  assert_absent ("new.vhd");
  assert_null (disk);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (arguments_are_refused_at_once),
    cmocka_unit_test (B_085_mute_source),
    cmocka_unit_test (a_mute_name_server),
    cmocka_unit_test (a_shutdown_does_not_wait_for_servers),
    cmocka_unit_test (no_server_is_an_error_of_the_task),
  };

  return cmocka_run_group_tests (tests, setup, teardown);
}
