/* vhdkit: the create methods of Virtual Server 2005 with the installed library
 * (test-install.sh).
 * SPDX-License-Identifier: BSD-3-Clause
 *
 *   install-vs2005 fixed|dynamic FILE MEGABYTES [FLAGS]
 *   install-vs2005 diff FILE PARENT [FLAGS]
 *
 * Prints "ok", or "call CODE HRESULT text" where the method refuses, or "task
 * CODE HRESULT text" where its task fails; then it fails too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vhdkit.h>

static int
failed (const char *where)
{
  enum vhdkit_error code = vhdkit_get_error_code ();

  printf ("%s %s %08lx %s\n", where, vhdkit_error_name (code),
          (unsigned long) vhdkit_error_hresult (code), vhdkit_get_error ());
  return 1;
}

static int
call (char *argv[], uint32_t flags, vhdkit_task **task)
{
  if (strcmp (argv[1], "fixed") == 0)
    return vhdkit_create_fixed_mb (NULL, argv[2], atoll (argv[3]), flags,
                                   task);
  if (strcmp (argv[1], "dynamic") == 0)
    return vhdkit_create_dynamic_mb (NULL, argv[2], atoll (argv[3]), flags,
                                     task);
  return vhdkit_create_diff (NULL, argv[2], argv[3], flags, task);
}

int
main (int argc, char *argv[])
{
  vhdkit_task *task;
  int r = 0;

  if (argc < 4)
    return 2;
  if (call (argv, argc > 4 ? strtoul (argv[4], NULL, 0) : 0, &task) == -1)
    return failed ("call");
  if (vhdkit_task_wait (task, -1) == -1
      || vhdkit_task_error (task) != VHDKIT_OK)
    r = failed ("task");
  else
    printf ("ok\n");
  vhdkit_task_free (task);
  return r;
}
