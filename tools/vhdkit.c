/* vhdkit: the command: which sub-command is wanted.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools.h"

static const struct command *const commands[] = {
  &cmd_create,
  &cmd_info,
  &cmd_chain,
  &cmd_map,
  &cmd_check,
  &cmd_serve,
  &cmd_reparent,
};

const struct command *command;

static void
help (FILE *fp)
{
  size_t i;

  fprintf (fp, "Usage: vhdkit COMMAND [OPTIONS] ARGUMENTS\n\nCommands:\n");
  for (i = 0; i < sizeof commands / sizeof commands[0]; i++)
    fprintf (fp, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
  fprintf (fp, "\n"
           "  -h, --help     show this help; COMMAND --help for one command\n"
           "  -V, --version  show the version\n");
}

static const struct command *
find_command (const char *name)
{
  size_t i;

  for (i = 0; i < sizeof commands / sizeof commands[0]; i++)
    if (strcmp (commands[i]->name, name) == 0)
      return commands[i];
  return NULL;
}

/* If we were started with one of the three standard descriptors closed, an
 * image would be opened in its place and messages written into it.  The
 * stand-ins refuse what they are not for, so that output that goes nowhere is
 * still noticed. */
static void
occupy_standard_descriptors (void)
{
  int fd, r;

  for (fd = 0; fd <= 2; fd++) {
    if (fcntl (fd, F_GETFD) != -1)
      continue;
    r = open ("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
    if (r != fd)                /* nothing sensible can be done or said */
      _exit (STATUS_FAILED);
  }
}

int
main (int argc, char *argv[])
{
  char name[64];

  occupy_standard_descriptors ();
  if (argc < 2) {
    help (stderr);
    return STATUS_USAGE;
  }
  if (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0) {
    help (stdout);
    return finish_output (STATUS_OK);
  }
  if (strcmp (argv[1], "--version") == 0 || strcmp (argv[1], "-V") == 0) {
    printf ("%s\n", vhdkit_version ());
    return finish_output (STATUS_OK);
  }

  command = find_command (argv[1]);
  if (command == NULL)
    return usage_error ("unknown %s: %s",
                        argv[1][0] == '-' ? "option" : "command", argv[1]);

  /* getopt begins its messages with argv[0]. */
  snprintf (name, sizeof name, "vhdkit: %s", command->name);
  argv[1] = name;
  return finish_output (command->run (argc - 1, argv + 1));
}
