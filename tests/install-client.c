/* vhdkit: a program that uses the installed library (test-install.sh).
 * SPDX-License-Identifier: BSD-3-Clause
 *
 *   install-client FILE: create it, write, close, open again, read.
 */
#include <stdio.h>
#include <string.h>

#include <vhdkit.h>

static const char text[] = "written by an installed program";

static int
failed (const char *what)
{
  fprintf (stderr, "%s: %s (%s)\n", what, vhdkit_get_error (),
           vhdkit_error_name (vhdkit_get_error_code ()));
  return 1;
}

int
main (int argc, char *argv[])
{
  struct vhdkit_create_options options = { .struct_size = sizeof options };
  char found[sizeof text];
  vhdkit_disk *disk;

  if (argc != 2)
    return 2;
  options.type = VHDKIT_TYPE_DYNAMIC;
  options.size = 64 << 20;
  if (vhdkit_create_image (argv[1], &options) == -1)
    return failed ("create");

  if (vhdkit_open (argv[1], VHDKIT_ACCESS_ALL, 0, NULL, &disk) == -1)
    return failed ("open");
  if (vhdkit_pwrite (disk, text, sizeof text, 12345, 0) == -1)
    return failed ("write");
  if (vhdkit_close (disk) == -1)
    return failed ("close");

  if (vhdkit_open (argv[1], VHDKIT_ACCESS_READ, 0, NULL, &disk) == -1)
    return failed ("open again");
  if (vhdkit_pread (disk, found, sizeof found, 12345) == -1)
    return failed ("read");
  if (memcmp (found, text, sizeof text) != 0) {
    fprintf (stderr, "read something else\n");
    return 1;
  }
  if (vhdkit_close (disk) == -1)
    return failed ("close");
  printf ("%s\n", vhdkit_version ());
  return 0;
}
