/* vhdkit: information classes with the installed library (test-install.sh).
 * SPDX-License-Identifier: BSD-3-Clause
 *
 *   install-info FILE              print what the classes say
 *   install-info FILE parent PATH  give it another parent
 *   install-info FILE force PATH   the same, whatever its id
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vhdkit.h>

static int
failed (void)
{
  printf ("%s %s\n", vhdkit_error_name (vhdkit_get_error_code ()),
          vhdkit_get_error ());
  return 1;
}

static void
print_number (vhdkit_disk *disk, enum vhdkit_info_class info_class,
              const char *name)
{
  uint32_t n;
  size_t len = sizeof n;

  if (vhdkit_get_info (disk, info_class, &n, &len) == 0)
    printf ("%s %lu\n", name, (unsigned long) n);
}

static void
print_parent (vhdkit_disk *disk)
{
  struct vhdkit_info_parent_location *l;
  size_t len = 0;
  uint32_t i;

  if (vhdkit_get_info (disk, VHDKIT_INFO_PARENT_LOCATION, NULL, &len) == -1
      && vhdkit_get_error_code () != VHDKIT_ERR_INSUFFICIENT_BUFFER)
    return;
  l = malloc (len);
  if (l && vhdkit_get_info (disk, VHDKIT_INFO_PARENT_LOCATION, l, &len) == 0)
    for (i = 0; i < l->nr_paths; i++)
      printf ("%s %s\n", l->resolved ? "parent" : "tried", l->path[i]);
  free (l);
}

static int
print_info (const char *path)
{
  struct vhdkit_info_size s;
  size_t len = sizeof s;
  vhdkit_disk *disk;

  if (vhdkit_open (path, VHDKIT_ACCESS_GET_INFO, VHDKIT_OPEN_NO_PARENTS, NULL,
                   &disk) == -1)
    return failed ();
  if (vhdkit_get_info (disk, VHDKIT_INFO_SIZE, &s, &len) == 0)
    printf ("size %llu blocks %lu\n", (unsigned long long) s.virtual_size,
            (unsigned long) s.block_size);
  print_number (disk, VHDKIT_INFO_PROVIDER_SUBTYPE, "subtype");
  print_number (disk, VHDKIT_INFO_VS_TYPE, "vs");
  print_parent (disk);
  return vhdkit_close (disk) == -1;
}

static int
set_parent (const char *path, const char *parent, uint32_t flags)
{
  vhdkit_disk *disk;
  int r;

  if (vhdkit_open (path, VHDKIT_ACCESS_ALL, VHDKIT_OPEN_NO_PARENTS, NULL,
                   &disk) == -1)
    return failed ();
  r = vhdkit_set_info (disk, VHDKIT_SET_INFO_PARENT_PATH, parent,
                       strlen (parent), flags) == -1 ? failed () : 0;
  return vhdkit_close (disk) == -1 ? failed () : r;
}

int
main (int argc, char *argv[])
{
  if (argc == 2)
    return print_info (argv[1]);
  if (argc == 4)
    return set_parent (argv[1], argv[3],
                       strcmp (argv[2], "force") == 0 ? VHDKIT_SET_INFO_FORCE
                       : 0);
  return 2;
}
