/* vhdkit: what the files of the command share.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A sub-command is one file, cmd-NAME.c, that defines one struct command, and
 * one line in the table of vhdkit.c.  stdout is the answer, stderr the talk.
 */
#ifndef VHDKIT_TOOLS_H
#define VHDKIT_TOOLS_H

#include <stdbool.h>
#include <stdint.h>
#include <getopt.h>
#include <jansson.h>

#include "vhdkit.h"

/* Exit statuses, as in vhdkit(1).  check has its own for 2 and 3. */
enum {
  STATUS_OK = 0,
  STATUS_FAILED = 1,
  STATUS_USAGE = 2,
  STATUS_CANCELLED = 3,
  STATUS_PARTIAL = 4            /* done, but not all is as it was asked for */
};

struct command {
  const char *name;
  const char *summary;          /* one line, for vhdkit --help */
  const char *synopsis;         /* what follows the name */
  const char *help;             /* the options, a line each */
  int usage_status;             /* exit status of a usage error */
  /* argv[0] is for messages of getopt; the rest are the arguments. */
  int (*run) (int argc, char *argv[]);
};

extern const struct command cmd_create, cmd_info, cmd_chain, cmd_map,
  cmd_check, cmd_serve, cmd_reparent;

/* The one that runs; its name goes into messages. */
extern const struct command *command;

/*----------------------------------------------------------------------
 * options.c: what is written on the command line
 *--------------------------------------------------------------------*/

enum {
  OPT_JSON = 256,
  OPT_OUTPUT,
  OPT_PARENT,
  OPT_SEARCH,
  OPT_NO_RESOLVE,
  OPT_OWN                       /* first number of a sub-command's own */
};

#define HELP_OPTIONS                                    \
  { "help", no_argument, NULL, 'h' },                   \
  { "version", no_argument, NULL, 'V' }
#define HELP_LETTERS "hV"

/* Of the commands that answer. */
#define ANSWER_OPTIONS                                  \
  { "json", no_argument, NULL, OPT_JSON },              \
  { "output", required_argument, NULL, OPT_OUTPUT }

/* Of the commands that open an image to look at it. */
#define IMAGE_OPTIONS                                   \
  ANSWER_OPTIONS,                                       \
  { "force-share", no_argument, NULL, 'U' },            \
  { "no-resolve", no_argument, NULL, OPT_NO_RESOLVE },  \
  { "parent", required_argument, NULL, OPT_PARENT },    \
  { "search", required_argument, NULL, OPT_SEARCH }
#define IMAGE_LETTERS "U"

#define HELP_HELP \
  "  -h, --help              show this help\n" \
  "  -V, --version           show the version\n"
#define ANSWER_HELP \
  "  --json, --output=json   answer in JSON (--output=human: in words)\n"
#define IMAGE_HELP \
  ANSWER_HELP \
  "  -U, --force-share       take no file locks\n" \
  "  --no-resolve            look at this file only, not at its parents\n" \
  "  --parent FILE           a parent, nearest first; may be repeated;\n" \
  "                          raw:FILE for a raw one\n" \
  "  --search DIR            look for parents in DIR too; may be repeated\n"

/* Words in the order given; the words themselves are argv's. */
struct words {
  const char **word;
  size_t nr;
};

struct image_options {
  bool json;
  uint32_t flags;               /* VHDKIT_OPEN_... */
  struct words parents, search;
};

/* An option that more than one command has.  Returns -1 to go on, or the
 * status to exit with: for --help, --version, and (after a message) whatever
 * getopt did not know.  o may be NULL for commands without those options. */
extern int shared_option (int c, struct image_options *o);

extern void words_add (struct words *w, const char *word);
extern void image_options_free (struct image_options *o);

/* The one FILE argument.  NULL after a usage error. */
extern const char *only_argument (int argc, char *argv[]);

/* "20M", "3145728", "0x1000" to bytes; a usage error naming the option, -1,
 * when it is not a size or is above max. */
extern int parse_size (const char *option, const char *text, uint64_t max,
                       uint64_t *ret_bytes);
/* A whole number from 0 to max, decimal; -1 after a usage error. */
extern int parse_number (const char *option, const char *text, uint64_t max,
                         uint64_t *ret);
/* 8-4-4-4-12 digits, braces allowed, to the bytes that Windows stores. */
extern int parse_id (const char *option, const char *text, uint8_t ret_id[16]);

/*----------------------------------------------------------------------
 * permissions.c: of a new file.  0, or -1 after a usage error.
 *--------------------------------------------------------------------*/

extern int parse_mode (const char *text, struct vhdkit_security *s);
extern int parse_owner (const char *text, struct vhdkit_security *s);
extern int parse_group (const char *text, struct vhdkit_security *s);

/*----------------------------------------------------------------------
 * output.c: words for people, JSON for programs
 *--------------------------------------------------------------------*/

/* Malloced copy that is harmless on a terminal: control characters and what
 * is not UTF-8 become \xNN. */
extern char *printable (const char *text);

/* "vhdkit: COMMAND: FILE: reason" on stderr; file may be NULL. */
extern void complain (const char *file, const char *fmt, ...)
  __attribute__ ((format (printf, 2, 3)));
/* The same with an error of the library: a sentence, and the name and number
 * of its code.  _library: with its last one. */
extern void complain_error (const char *file, enum vhdkit_error code,
                            const char *text);
extern void complain_library (const char *file);
/* The number of a code, as it appears in messages: Win32's, or, after
 * show_hresults, the HRESULT of Virtual Server. */
extern uint32_t error_number (enum vhdkit_error code);
extern void show_hresults (void);
/* Returns the exit status of a usage error. */
extern int usage_error (const char *fmt, ...)
  __attribute__ ((format (printf, 1, 2)));
/* A finding on stderr, unless it is only a note. */
extern int warn_finding (void *opaque, const struct vhdkit_finding *finding);

/* Somebody wrote to stdout and failed with this errno: finish_output says why,
 * which stdio has forgotten by then. */
extern void output_failed (int err);
/* Close stdout; what could not be written turns status into FAILED. */
extern int finish_output (int status);

/* "10 GiB", "1.25 MiB", "512 bytes". */
struct size_text { char s[64]; };
extern struct size_text human_size (uint64_t bytes);
/* "10 GiB (10737418240 bytes)" */
extern struct size_text exact_size (uint64_t bytes);
/* Seconds since 2000 as ISO 8601. */
extern struct size_text vhd_date (uint32_t timestamp);

extern void *checked_alloc (void *p);   /* exits if p is NULL */

/* Building JSON; they exit if memory is short.  Text becomes valid UTF-8, a
 * NULL becomes null. */
extern json_t *json_text (const char *text);
extern void json_add (json_t *object, const char *key, json_t *value);
extern void json_add_text (json_t *object, const char *key, const char *text);
extern void json_add_uint (json_t *object, const char *key, uint64_t n);
extern void json_add_bool (json_t *object, const char *key, bool b);
extern void json_append (json_t *array, json_t *value);
/* Print indented, with a newline, and release. */
extern void json_print (json_t *value);

/*----------------------------------------------------------------------
 * progress.c: how far a task is, for people and for programs
 *--------------------------------------------------------------------*/

enum progress_mode {
  PROGRESS_AUTO,                /* a bar where it makes sense, after a second */
  PROGRESS_BAR,                 /* the same at once */
  PROGRESS_JSON,
  PROGRESS_NONE
};

struct progress_options {
  enum progress_mode mode;
  int fd;                       /* of JSON: where its lines go */
};

/* What --progress=TEXT says (NULL: without =TEXT); -1 after a usage error. */
extern int parse_progress (const char *text, struct progress_options *o);
/* --progress-fd */
extern int parse_progress_fd (const char *text, struct progress_options *o);

/* Between two calls of progress_show. */
#define PROGRESS_INTERVAL_MS 200

struct progress_view;
extern struct progress_view *progress_begin (const struct progress_options *o);
extern void progress_show (struct progress_view *v,
                           const struct vhdkit_task_info *t);
/* The last time, with a task that is complete; frees the view. */
extern void progress_end (struct progress_view *v,
                          const struct vhdkit_task_info *t);

/*----------------------------------------------------------------------
 * watch.c: wait for a task; signals cancel it
 *--------------------------------------------------------------------*/

struct watched {
  const char *file;             /* for messages */
  /* The call that makes the task; 0, or -1 with the library's last error.
   * It is made in another thread. */
  int (*start) (void *opaque, vhdkit_task **ret_task);
  void *opaque;
};

/* Returns the exit status, after a message if it is not 0.  SIGINT, SIGTERM
 * and SIGHUP stay blocked. */
extern int watch_task (const struct watched *w,
                       const struct progress_options *o);

/*----------------------------------------------------------------------
 * layer.c: one image of a chain
 *--------------------------------------------------------------------*/

/* What the command line says of parents, for the library; borrowed from o. */
extern struct vhdkit_open_options open_options (const struct image_options *o,
                                                vhdkit_finding_fn on_finding,
                                                void *opaque);
/* Open file to look at it.  NULL after a message. */
extern vhdkit_disk *open_image (const char *file,
                                const struct image_options *o,
                                uint32_t more_flags);
/* The same for something else: VHDKIT_ACCESS_... */
extern vhdkit_disk *open_image_for (uint32_t access_mask, const char *file,
                                    const struct image_options *o,
                                    uint32_t more_flags);
/* Close; a message and STATUS_FAILED if that fails. */
extern int close_image (const char *file, vhdkit_disk *disk, int status);

/* Exits with a message where vhdkit_layer fails. */
extern const struct vhdkit_layer_info *layer_info (vhdkit_disk *disk,
                                                   size_t layer);
/* A warning on stderr for a chain that ends without a base. */
extern void warn_if_incomplete (vhdkit_disk *disk);

extern const char *type_name (enum vhdkit_disk_type type);
/* Which program made it, or NULL. */
extern const char *creator_name (const struct vhdkit_layer_info *l);
/* Who presents the geometry's size as the disk's instead of the size that we
 * serve; NULL if nobody does. */
extern const char *geometry_readers (const struct vhdkit_layer_info *l);

/* What became of a layer's link to its parent. */
struct link {
  const char *state;            /* "none"; "ok"; "missing"; "unusable": there,
                                   but not the parent; "not looked for" */
  const struct vhdkit_candidate *candidate; /* the one used, or the one that
                                   tells best why none was; or NULL */
};
extern struct link layer_link (const struct vhdkit_layer_info *l);
/* Malloced: the same in words. */
extern char *link_text (const struct link *link);

extern json_t *layer_json (const struct vhdkit_layer_info *l);

#endif
