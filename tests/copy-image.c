/* vhdkit tests: make an image from a source, as a task.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 *     copy-image [-c MS] [-f] [-n] [-s] dynamic|fixed SOURCE FILE
 *
 *     -c MS  cancel after so many milliseconds, and print how many it took
 *            until the task was complete
 *     -f     a block device in use, too
 *     -n     do not wait for the disk
 *     -s     fixed: do not reserve the space
 *
 * Exit status: 0 it is there, 1 an error, 2 usage, 3 cancelled.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <vhdkit.h>

static double
now (void)
{
  struct timespec t;

  clock_gettime (CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static int
failed (void)
{
  fprintf (stderr, "copy-image: %s: %s\n",
           vhdkit_error_name (vhdkit_get_error_code ()), vhdkit_get_error ());
  return vhdkit_get_error_code () == VHDKIT_ERR_CANCELLED ? 3 : 1;
}

static void
cancel_after (vhdkit_task *task, int ms)
{
  double start;

  if (vhdkit_task_wait (task, ms) == 0)
    return;
  start = now ();
  vhdkit_task_cancel (task);
  vhdkit_task_wait (task, -1);
  printf ("%.0f\n", now () - start);
}

int
main (int argc, char **argv)
{
  const struct vhdkit_storage_type type = { VHDKIT_DEVICE_VHD,
                                            VHDKIT_VENDOR_MICROSOFT };
  struct vhdkit_create_parameters p = {
    .struct_size = sizeof p, .version = 2, .storage_type = &type
  };
  vhdkit_task *task;
  vhdkit_disk *disk;
  int opt, cancel_ms = -1, r = 0;

  while ((opt = getopt (argc, argv, "c:fns")) != -1)
    switch (opt) {
    case 'c': cancel_ms = atoi (optarg); break;
    case 'f': p.host_flags |= VHDKIT_HOST_FORCE_SOURCE; break;
    case 'n': p.host_flags |= VHDKIT_HOST_NO_SYNC; break;
    case 's': p.host_flags |= VHDKIT_HOST_SPARSE; break;
    default: return 2;
    }
  if (argc - optind != 3)
    return 2;
  if (strcmp (argv[optind], "fixed") == 0)
    p.flags = VHDKIT_CREATE_FLAG_FULL_PHYSICAL_ALLOCATION;
  p.source_path = argv[optind + 1];
  if (vhdkit_create (argv[optind + 2], &p, &task, &disk) == -1)
    return failed ();
  if (cancel_ms >= 0)
    cancel_after (task, cancel_ms);
  if (vhdkit_task_wait (task, -1) == -1
      || vhdkit_task_error (task) != VHDKIT_OK)
    r = failed ();
  else if (vhdkit_close (disk) == -1)
    r = failed ();
  vhdkit_task_free (task);
  return r;
}
