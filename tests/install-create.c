/* vhdkit: CreateVirtualDisk with the installed library (test-install.sh).
 * SPDX-License-Identifier: BSD-3-Clause
 *
 *   install-create FILE [NAME=VALUE ...]
 *
 * Calls vhdkit_create; the names are those of vhdkit_create_parameters, and
 * async=1 for a task.  Prints "ok SIZE", or "CODE WIN32 text" and fails.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vhdkit.h>

static const struct vhdkit_storage_type vhd = {
  VHDKIT_DEVICE_VHD, VHDKIT_VENDOR_MICROSOFT
};

static struct vhdkit_security security;
static int async;

/* NAME=VALUE; -1: no such name. */
static int
set (struct vhdkit_create_parameters *p, const char *name, const char *value)
{
  uint64_t n = strtoull (value, NULL, 0);

  if (strcmp (name, "version") == 0) p->version = n;
  else if (strcmp (name, "access_mask") == 0) p->access_mask = n;
  else if (strcmp (name, "flags") == 0) p->flags = n;
  else if (strcmp (name, "maximum_size") == 0) p->maximum_size = n;
  else if (strcmp (name, "block_size") == 0) p->block_size = n;
  else if (strcmp (name, "sector_size") == 0) p->sector_size = n;
  else if (strcmp (name, "parent_path") == 0) p->parent_path = value;
  else if (strcmp (name, "source_path") == 0) p->source_path = value;
  else if (strcmp (name, "host_flags") == 0) p->host_flags = n;
  else if (strcmp (name, "async") == 0) async = n;
  else if (strcmp (name, "mode") == 0) {
    security.set = VHDKIT_SECURITY_MODE;
    security.mode = n;
    p->security = &security;
  }
  else
    return -1;
  return 0;
}

static int
create (const char *path, const struct vhdkit_create_parameters *p,
        vhdkit_disk **disk)
{
  vhdkit_task *task;
  int r;

  if (!async)
    return vhdkit_create (path, p, NULL, disk);
  if (vhdkit_create (path, p, &task, disk) == -1)
    return -1;
  r = vhdkit_task_wait (task, -1);
  if (r == 0 && vhdkit_task_error (task) != VHDKIT_OK)
    r = -1;
  vhdkit_task_free (task);
  return r;
}

int
main (int argc, char *argv[])
{
  struct vhdkit_create_parameters p = {
    .struct_size = sizeof p, .version = 1, .storage_type = &vhd,
    .access_mask = VHDKIT_ACCESS_ALL,
  };
  vhdkit_disk *disk = NULL;
  char *value;
  int i;

  for (i = 2; i < argc; i++) {
    value = strchr (argv[i], '=');
    if (value)
      *value++ = '\0';
    if (!value || set (&p, argv[i], value) == -1) {
      fprintf (stderr, "what is %s?\n", argv[i]);
      return 2;
    }
  }
  if (argc < 2)
    return 2;
  if (create (argv[1], &p, &disk) == -1) {
    enum vhdkit_error code = vhdkit_get_error_code ();

    printf ("%s %lx %s\n", vhdkit_error_name (code),
            (unsigned long) vhdkit_error_win32 (code), vhdkit_get_error ());
    return disk ? 3 : 1;
  }
  printf ("ok %llu\n", (unsigned long long) vhdkit_size (disk));
  return vhdkit_close (disk) == -1;
}
