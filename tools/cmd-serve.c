/* vhdkit serve: run nbdkit with the vhd plugin.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A wrapper and no more: it finds the plugin, makes paths absolute, so that
 * the command line that --dry-run shows works anywhere, and keeps the server
 * on this machine unless told otherwise.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools.h"

struct request {
  struct words nbdkit;          /* options before the plugin's name */
  struct words keys;            /* parameters of the plugin */
  bool port, socket, dry_run;
};

/* The words of this file are malloced: two strings put together. */
static void
add_word (struct words *w, const char *a, const char *b)
{
  char *word;
  int r = asprintf (&word, "%s%s", a, b);

  words_add (w, checked_alloc (r == -1 ? NULL : word));
}

static void
free_words (struct words *w)
{
  size_t i;

  for (i = 0; i < w->nr; i++)
    free ((char *) w->word[i]);
  free (w->word);
}

/* "KEY=/absolute/path".  Symbolic links stay: the plugin looks for parents
 * where the path leads, as if it had been given directly. */
static void
add_path (struct words *w, const char *key, const char *path)
{
  char *cwd, *absolute;
  int r;

  if (path[0] == '/') {
    add_word (w, key, path);
    return;
  }
  cwd = checked_alloc (getcwd (NULL, 0));
  r = asprintf (&absolute, "%s%s/%s", key, strcmp (cwd, "/") ? cwd : "",
                path);
  words_add (w, checked_alloc (r == -1 ? NULL : absolute));
  free (cwd);
}

static void
add_parent (struct words *w, const char *parent)
{
  if (strncmp (parent, "raw:", 4) == 0)
    add_path (w, "parent=raw:", parent + 4);
  else
    add_path (w, "parent=", parent);
}

/* For the shell.  Control characters are quoted as $'\NNN', so that the line
 * stays one line and harmless. */
static void
print_quoted (const char *word)
{
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP"
    "QRSTUVWXYZ0123456789%+,-./:=@_";
  const unsigned char *p;

  if (word[0] && word[strspn (word, plain)] == '\0') {
    fputs (word, stdout);
    return;
  }
  fputs ("$'", stdout);
  for (p = (const unsigned char *) word; *p; p++) {
    if (*p < 0x20 || *p >= 0x7f)
      printf ("\\%03o", *p);
    else {
      if (*p == '\'' || *p == '\\')
        putchar ('\\');
      putchar (*p);
    }
  }
  putchar ('\'');
}

static int
show (const char *const *argv)
{
  for (; *argv; argv++) {
    print_quoted (*argv);
    putchar (argv[1] ? ' ' : '\n');
  }
  return STATUS_OK;
}

static int
start (const char *const *argv)
{
  execvp (argv[0], (char *const *) argv);
  complain (NULL, "%s: %s%s", argv[0], strerror (errno),
            errno == ENOENT ? " (is the nbdkit package installed?)" : "");
  return STATUS_FAILED;
}

/* file= or dir=.  -1 after a message. */
static int
add_image (struct words *w, const char *path)
{
  struct stat st;

  if (stat (path, &st) == -1) {
    complain (path, "%s", strerror (errno));
    return -1;
  }
  if (S_ISDIR (st.st_mode))
    add_path (w, "dir=", path);
  else if (S_ISREG (st.st_mode) || S_ISBLK (st.st_mode))
    add_path (w, "file=", path);
  else {
    complain (path, "not a file, a block device or a directory");
    return -1;
  }
  return 0;
}

/* nbdkit OPTIONS PLUGIN IMAGE PARAMETERS WHAT-FOLLOWED-"--"; nbdkit takes
 * options of its own there, too.  The words are borrowed from r and extra. */
static void
make_line (const struct request *r, const struct words *image,
           char *extra[], struct words *ret)
{
  const char *plugin = getenv ("VHD_PLUGIN");
  size_t i;

  words_add (ret, "nbdkit");
  words_add (ret, "-f");
  if (!r->socket) {
    words_add (ret, "-i");
    words_add (ret, "127.0.0.1");
  }
  for (i = 0; i < r->nbdkit.nr; i++)
    words_add (ret, r->nbdkit.word[i]);
  words_add (ret, plugin && plugin[0] ? plugin : "vhd");
  words_add (ret, image->word[0]);
  for (i = 0; i < r->keys.nr; i++)
    words_add (ret, r->keys.word[i]);
  for (; *extra; extra++)
    words_add (ret, *extra);
  words_add (ret, NULL);
}

static int
serve (const struct request *r, const char *path, char *extra[])
{
  struct words image = { NULL, 0 }, line = { NULL, 0 };
  int status;

  if (add_image (&image, path) == -1)
    return STATUS_FAILED;
  make_line (r, &image, extra, &line);
  status = r->dry_run ? show (line.word) : start (line.word);
  free (line.word);
  free_words (&image);
  return status;
}

/* nbdkit also takes the name of a service; of a number that is too large it
 * would take what is left of it in 16 bits. */
static bool
is_port (const char *port)
{
  size_t digits = strspn (port, "0123456789");

  return port[0] != '\0'
         && (port[digits] != '\0'
             || (digits <= 5 && strtoul (port, NULL, 10) <= 65535));
}

enum {
  OPT_MODE = OPT_OWN,
  OPT_COMMIT_INTERVAL,
  OPT_DRY_RUN
};

static int
take_option (int c, struct request *r)
{
  switch (c) {
  case 'r':
    add_word (&r->nbdkit, "-r", "");
    return -1;
  case 't':
    add_word (&r->nbdkit, "--threads=", optarg);
    return -1;
  case 'p':
    if (!is_port (optarg))
      return usage_error ("--port: not a number up to 65535: %s", optarg);
    r->port = true;
    add_word (&r->nbdkit, "--port=", optarg);
    return -1;
  case 'k':
    r->socket = true;
    add_path (&r->nbdkit, "--unix=", optarg);
    return -1;
  case OPT_PARENT:
    add_parent (&r->keys, optarg);
    return -1;
  case OPT_SEARCH:
    add_path (&r->keys, "search=", optarg);
    return -1;
  case OPT_MODE:
    add_word (&r->keys, "mode=", optarg);
    return -1;
  case OPT_COMMIT_INTERVAL:
    add_word (&r->keys, "commit-interval=", optarg);
    return -1;
  case OPT_DRY_RUN:
    r->dry_run = true;
    return -1;
  default:
    return shared_option (c, NULL);
  }
}

/* Where "--" is, or argc: what follows it is nbdkit's, which getopt, moving
 * arguments about, would not tell from ours. */
static int
own_arguments (int argc, char *argv[])
{
  int i;

  for (i = 1; i < argc; i++)
    if (strcmp (argv[i], "--") == 0)
      return i;
  return argc;
}

static int
run (int argc, char *argv[])
{
  static const struct option options[] = {
    HELP_OPTIONS,
    { "read-only", no_argument, NULL, 'r' },
    { "port", required_argument, NULL, 'p' },
    { "socket", required_argument, NULL, 'k' },
    { "threads", required_argument, NULL, 't' },
    { "parent", required_argument, NULL, OPT_PARENT },
    { "search", required_argument, NULL, OPT_SEARCH },
    { "mode", required_argument, NULL, OPT_MODE },
    { "commit-interval", required_argument, NULL, OPT_COMMIT_INTERVAL },
    { "dry-run", no_argument, NULL, OPT_DRY_RUN },
    { NULL, 0, NULL, 0 }
  };
  int own = own_arguments (argc, argv);
  char **extra = argv + (own < argc ? own + 1 : argc);
  struct request r = { .port = false };
  const char *path;
  int c, status = -1;

  while (status == -1
         && (c = getopt_long (own, argv, HELP_LETTERS "rp:k:t:", options,
                              NULL)) != -1)
    status = take_option (c, &r);
  if (status == -1 && r.port && r.socket)
    status = usage_error ("--port and --socket exclude each other");
  if (status == -1) {
    path = only_argument (own, argv);
    status = path ? serve (&r, path, extra) : command->usage_status;
  }
  free_words (&r.nbdkit);
  free_words (&r.keys);
  return status;
}

const struct command cmd_serve = {
  .name = "serve",
  .summary = "serve an image, or a directory of images, over NBD",
  .synopsis = "[OPTIONS] FILE|DIR [-- NBDKIT-OPTIONS]",
  .help =
    "  -r, --read-only         refuse writes\n"
    "  -p, --port PORT         TCP port on 127.0.0.1 (default: 10809)\n"
    "  -k, --socket PATH       a Unix domain socket instead\n"
    "  -t, --threads N         nbdkit's threads per connection\n"
    "  --parent FILE           a parent, nearest first; may be repeated;\n"
    "                          raw:FILE for a raw one\n"
    "  --search DIR            look for parents in DIR too; may be repeated\n"
    "  --mode MODE             rw or ro\n"
    "  --commit-interval N     seconds between commits of metadata\n"
    "  --dry-run               show the command line, do not run it\n",
  .usage_status = STATUS_USAGE,
  .run = run,
};
