/* vhdkit: find the parent of an image, and open it.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Paths are tried in the order of parent-paths.c until one leads to the file
 * with the id that the child recorded.  What may be there:
 *
 *  (1) nothing, or a file that is no candidate: go on;
 *  (2) a VHD with another id: go on.  It is accepted only if the caller
 *      ignores ids, and then a right one further on still goes before it,
 *      except where the caller named the file;
 *  (3) a file that does not open: go on, it may be anything.  But if its
 *      footer can be read and has the right id, this is the parent and it is
 *      damaged: stop, do not serve an older copy from elsewhere;
 *  (4) a file of this chain: never accepted.  With the right id, stop: the
 *      chain is a cycle;
 *  (5) the parent: what does not agree (time stamp, size) is reported.
 *
 * Every path and what came of it is kept for people to see.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/guid.h"
#include "base/text.h"
#include "disk/parents-internal.h"

/* A path is shown up to this length. */
#define SHOWN_IN_LIST 4096
#define SHOWN_IN_MESSAGE 300

enum { GO_ON = 0, TAKEN = 1, STOP = -1 };

/* The best explanation so far of why there is no parent. */
enum why { NOTHING_FOUND, FOUND_CYCLE, FOUND_OTHER_ID, FOUND_DENIED,
           FOUND_DAMAGED };

struct hunt {
  struct image *child;
  const struct vhd_header *header;      /* the child's */
  const struct parent_search *ps;
  const struct layer *chain;
  size_t nr_chain;
  char *name;                           /* the child, printable */
  char id_text[GUID_TEXT_SIZE];         /* of the parent wanted */

  struct stored_name names[STORED_NAMES_MAX];
  size_t nr_names;
  struct parent_paths paths;
  struct roots roots;
  struct vhdkit_candidate *candidates;  /* one for each path */
  size_t nr_tried;

  enum why why;
  struct saved_error error;             /* for DENIED and DAMAGED */
  size_t first_other;                   /* path, if FOUND_OTHER_ID happened */
  bool have_other;
};

/* A file that was opened and may be the parent. */
struct find {
  struct store *store;          /* NULL once image has it */
  struct image *image;
  struct store_id id;
  char *path;                   /* as it is called */
  char *shown;                  /* the same, printable */
};

/* text, cut if it is long, with nothing in it that could do harm. */
static char *
shown_path (const char *text, size_t max)
{
  CLEANUP_FREE char *cut = NULL;

  if (strlen (text) <= max)
    return text_printable (text);
  cut = text_format ("%.*s...", (int) max, text);
  return cut ? text_printable (cut) : NULL;
}

/*----------------------------------------------------------------------
 * Records
 *--------------------------------------------------------------------*/

static int
set_outcome (struct hunt *h, size_t i, enum vhdkit_candidate_state state,
             const char *text)
{
  char *outcome = shown_path (text, SHOWN_IN_LIST);

  if (outcome == NULL)
    return STOP;
  free ((char *) h->candidates[i].outcome);
  h->candidates[i].outcome = outcome;
  h->candidates[i].state = state;
  return GO_ON;
}

static int
start_record (struct hunt *h, size_t i)
{
  const struct parent_path *p = &h->paths.p[i];
  struct vhdkit_candidate *c = &h->candidates[i];

  if (i < h->nr_tried)          /* tried once more */
    return 0;
  c->path = shown_path (p->path, SHOWN_IN_LIST);
  c->source = text_format ("%s", p->source);
  c->outcome = text_format ("not tried");
  c->state = VHDKIT_CANDIDATE_NOT_TRIED;
  h->nr_tried = i + 1;          /* freed from here on */
  return c->path && c->source && c->outcome ? 0 : -1;
}

/* The name was found in another case. */
static int
record_real_path (struct hunt *h, size_t i, struct find *f)
{
  char *path = shown_path (f->path, SHOWN_IN_LIST);

  f->shown = text_printable (f->path);
  if (path == NULL || f->shown == NULL) {
    free (path);
    return -1;
  }
  free ((char *) h->candidates[i].path);
  h->candidates[i].path = path;
  return 0;
}

/* Keep the last error if it explains more than what there was. */
static void
keep_error (struct hunt *h, enum why why)
{
  if (why <= h->why)
    return;
  error_discard (&h->error);
  error_save (&h->error);
  h->why = why;
}

static void
note (struct hunt *h, enum why why)
{
  if (why > h->why)
    h->why = why;
}

/* The file cannot be used, as the last error says: case (3). */
static int
unusable (struct hunt *h, size_t i, const struct find *f, bool right_id)
{
  enum vhdkit_error code = vhdkit_get_error_code ();
  CLEANUP_FREE char *inner = text_printable (vhdkit_get_error ());
  bool meant_raw = code == VHDKIT_ERR_FORMAT_UNKNOWN &&
    h->paths.p[i].is_explicit;

  if (inner == NULL || code == VHDKIT_ERR_NO_MEMORY)
    return STOP;
  if (set_outcome (h, i, VHDKIT_CANDIDATE_UNUSABLE, inner) == STOP)
    return STOP;
  set_error (code, vhdkit_get_errno (),
             "%s: its parent %s cannot be used: %s%s", h->name, f->shown,
             inner, meant_raw ? "; if it is a raw file, say raw:FILE" : "");
  if (code == VHDKIT_ERR_SHARING_VIOLATION && right_id)
    return STOP;
  error_recode (VHDKIT_ERR_CHAIN_ERROR, EIO);
  if (right_id)
    return STOP;
  keep_error (h, FOUND_DAMAGED);
  return GO_ON;
}

/*----------------------------------------------------------------------
 * Is it the parent?
 *--------------------------------------------------------------------*/

static bool
is_right_id (const struct hunt *h, const uint8_t id[16])
{
  return memcmp (h->header->parent_id, id, 16) == 0;
}

/* In the byte order of the child's creator, so that two can be compared. */
static void
id_text (const struct hunt *h, const uint8_t id[16],
         char ret_text[GUID_TEXT_SIZE])
{
  guid_format (id, vhd_creator_windows_order (image_footer (h->child)->creator),
               ret_text);
}

static bool
footer_at (struct store *s, uint64_t offset, size_t length,
           struct vhd_footer *ret)
{
  struct vhd_footer_disk d = { 0 };

  return store_pread (s, &d, length, offset) == 0 &&
    vhd_footer_decode (&d, ret) == VHD_FOOTER_VALID;
}

/* The id, if there is a footer to be believed (vhd-format 1.5); the rest of
 * the image may be in any state. */
static bool
peek_id (struct store *s, uint8_t ret_id[16])
{
  struct vhd_footer f;
  uint64_t size;
  size_t length;

  if (store_size (s, &size) == -1 || size < sizeof (struct vhd_footer_disk))
    return false;
  length = size % SECTOR_SIZE == SECTOR_SIZE - 1 ? 511 : 512;
  if (!footer_at (s, size - length, length, &f) &&
      (!footer_at (s, 0, 512, &f) || f.type == VHD_FIXED))
    return false;
  memcpy (ret_id, f.id, 16);
  return true;
}

/* Case (4).  GO_ON also where there is no cycle; see *ret_cycle. */
static int
check_cycle (struct hunt *h, size_t i, const struct find *f, bool *ret_cycle)
{
  struct store_id child_id;
  bool cycle;
  const struct image *other = h->child;
  size_t n;

  if (store_identity (image_store (h->child), &child_id) == -1)
    return STOP;
  cycle = store_id_equal (&f->id, &child_id);
  for (n = 0; !cycle && n < h->nr_chain; n++) {
    cycle = store_id_equal (&f->id, &h->chain[n].id);
    other = h->chain[n].image;
  }
  *ret_cycle = cycle;
  if (!cycle)
    return GO_ON;
  if (set_outcome (h, i, VHDKIT_CANDIDATE_UNUSABLE,
                   "it is in this chain already") == STOP)
    return STOP;
  note (h, FOUND_CYCLE);
  if (!other || !is_right_id (h, image_footer (other)->id))
    return GO_ON;
  set_error (VHDKIT_ERR_CHAIN_CYCLE, ELOOP,
             "%s: its parent %s is in this chain of images already; the chain "
             "is a cycle, so there is no data to read", h->name, f->shown);
  return STOP;
}

static int
other_id (struct hunt *h, size_t i, const uint8_t id[16])
{
  char text[GUID_TEXT_SIZE], outcome[80];

  id_text (h, id, text);
  snprintf (outcome, sizeof outcome, "it has another id, %s", text);
  note (h, FOUND_OTHER_ID);
  if (!h->have_other) {
    h->have_other = true;
    h->first_other = i;
  }
  return set_outcome (h, i, VHDKIT_CANDIDATE_UNUSABLE, outcome);
}

/*----------------------------------------------------------------------
 * It is; what is odd about it?
 *--------------------------------------------------------------------*/

static uint64_t
header_offset (const struct hunt *h, size_t field)
{
  return image_footer (h->child)->data_offset + field;
}

static int
report_id (const struct hunt *h, const struct find *f, struct report *r)
{
  char found[GUID_TEXT_SIZE];

  if (f->image == NULL) {
    if (guid_is_zero (h->header->parent_id))
      return 0;
    return report (r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_PARENT_ID_MISMATCH,
                   "parent id",
                   header_offset (h, offsetof (struct vhd_header_disk,
                                               parent_id)),
                   "zero, the parent being a raw file",
                   "a raw file has no id, so it may be the wrong one",
                   "%s", h->id_text);
  }
  if (is_right_id (h, image_footer (f->image)->id))
    return 0;
  id_text (h, image_footer (f->image)->id, found);
  return report (r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_PARENT_ID_MISMATCH,
                 "parent id",
                 header_offset (h, offsetof (struct vhd_header_disk,
                                             parent_id)),
                 found, "the parent has another id and is used because ids "
                 "are ignored; if it is the wrong one, the data is too",
                 "%s", h->id_text);
}

static int
report_time (const struct hunt *h, const struct find *f, struct report *r)
{
  CLEANUP_FREE char *expected = NULL;
  uint64_t allocated;
  int64_t mtime;

  if (h->header->parent_timestamp == 0) /* not recorded (6.2) */
    return 0;
  if (store_usage (f->image ? image_store (f->image) : f->store,
                   &allocated, &mtime) == -1)
    return -1;
  if ((int64_t) h->header->parent_timestamp + VHD_EPOCH == mtime)
    return 0;
  expected = text_format ("%" PRId64 ", the parent's modification time",
                          mtime - VHD_EPOCH);
  if (expected == NULL)
    return -1;
  return report (r, VHDKIT_SEVERITY_WARNING,
                 VHDKIT_ERR_PARENT_TIMESTAMP_MISMATCH, "parent time stamp",
                 header_offset (h, offsetof (struct vhd_header_disk,
                                             parent_timestamp)),
                 expected, "the parent was written, or copied without its "
                 "times, after the child was made; if its content changed, "
                 "the data of the child is damaged",
                 "%" PRIu32, h->header->parent_timestamp);
}

static int
report_size (const struct hunt *h, uint64_t size, struct report *r)
{
  CLEANUP_FREE char *expected = NULL;
  uint64_t mine = image_size (h->child);

  if (size == mine)
    return 0;
  expected = text_format ("%" PRIu64 " bytes, the size of the parent", size);
  if (expected == NULL)
    return -1;
  return report (r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_PARENT_SIZE_MISMATCH,
                 "size", offsetof (struct vhd_footer_disk, current_size),
                 expected, mine > size ?
                 "what lies beyond the parent's end reads as zeros" :
                 "the end of the parent is not visible",
                 "%" PRIu64 " bytes", mine);
}

/* An operator who named a file wants to know that it was not taken. */
static int
report_explicit (const struct hunt *h, size_t i, const struct find *f,
                 struct report *r)
{
  CLEANUP_FREE char *meaning = NULL;

  if (i == 0 || !h->paths.p[0].is_explicit)
    return 0;
  meaning = text_format ("%s is used instead", f->shown);
  if (meaning == NULL)
    return -1;
  return report (r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_PARENT_NOT_FOUND,
                 "explicit parent", 0, "the parent of this image", meaning,
                 "%s: %s", h->candidates[0].path, h->candidates[0].outcome);
}

static int
report_oddities (const struct hunt *h, size_t i, const struct find *f,
                 uint64_t size)
{
  struct report r = { 0 };

  if (h->ps->report)
    r = *h->ps->report;
  r.file = h->name;
  if (report_explicit (h, i, f, &r) == -1 || report_id (h, f, &r) == -1 ||
      report_time (h, f, &r) == -1 || report_size (h, size, &r) == -1)
    return -1;
  return 0;
}

/*----------------------------------------------------------------------
 * One path
 *--------------------------------------------------------------------*/

static int
open_image (const struct hunt *h, struct find *f)
{
  struct report r = { 0 };
  struct image_options o = {
    .inspect = h->ps->inspect,
    .report = &r,
  };

  if (h->ps->report)
    r = *h->ps->report;
  r.file = f->shown;
  if (image_open (f->store, &o, &f->image) == -1)
    return -1;
  f->store = NULL;
  return 0;
}

static int
lock_shared (const struct hunt *h, const struct find *f)
{
  return h->ps->lock ? store_lock (f->store, STORE_LOCK_READ) : 0;
}

/* The file is the parent: hand it out. */
static int
take (struct hunt *h, size_t i, struct find *f, uint64_t size,
      struct layer *ret)
{
  if (report_oddities (h, i, f, size) == -1 ||
      set_outcome (h, i, VHDKIT_CANDIDATE_USED, "used") == STOP)
    return STOP;
  memset (ret, 0, sizeof *ret);
  ret->image = f->image;
  ret->store = f->image ? image_store (f->image) : f->store;
  ret->size = size;
  ret->path = f->path;
  ret->id = f->id;
  f->image = NULL;
  f->store = NULL;
  f->path = NULL;
  return TAKEN;
}

static int
try_raw (struct hunt *h, size_t i, struct find *f, struct layer *ret)
{
  uint64_t size;

  if (lock_shared (h, f) == -1 || store_size (f->store, &size) == -1)
    return unusable (h, i, f, true);
  if (size == 0 || size % SECTOR_SIZE != 0) {
    set_error (VHDKIT_ERR_INVALID_FILE_SIZE, EIO,
               "%s: the length of the raw file is %" PRIu64 " bytes, expected "
               "a multiple of 512", f->shown, size);
    return unusable (h, i, f, true);
  }
  return take (h, i, f, size, ret);
}

static int
try_vhd (struct hunt *h, size_t i, struct find *f, bool any_id,
         struct layer *ret)
{
  uint8_t id[16];
  bool known = peek_id (f->store, id);
  bool right = known && is_right_id (h, id);

  if (known && !right && !any_id)
    return other_id (h, i, id);
  if (lock_shared (h, f) == -1 || open_image (h, f) == -1)
    return unusable (h, i, f, right);
  /* The footer that image_open chose counts. */
  memcpy (id, image_footer (f->image)->id, 16);
  if (!is_right_id (h, id) && !any_id)
    return other_id (h, i, id);
  return take (h, i, f, image_size (f->image), ret);
}

static int
try_file (struct hunt *h, size_t i, struct find *f, bool any_id,
          struct layer *ret)
{
  bool cycle;

  if (record_real_path (h, i, f) == -1 ||
      store_identity (f->store, &f->id) == -1 ||
      check_cycle (h, i, f, &cycle) == STOP)
    return STOP;
  if (cycle)
    return GO_ON;
  if (h->paths.p[i].raw)
    return try_raw (h, i, f, ret);
  return try_vhd (h, i, f, any_id, ret);
}

/* No file was opened: why tells. */
static int
no_file (struct hunt *h, size_t i, const char *why, int err)
{
  if (err == EACCES || err == EPERM) {
    set_error (VHDKIT_ERR_PARENT_ACCESS_DENIED, err,
               "%s: its parent may be %s, but: %s", h->name,
               h->candidates[i].path, why);
    keep_error (h, FOUND_DENIED);
  }
  return set_outcome (h, i, err == ENOENT || err == ENOTDIR ?
                      VHDKIT_CANDIDATE_ABSENT : VHDKIT_CANDIDATE_UNUSABLE,
                      why);
}

static int
try_path (struct hunt *h, size_t i, bool any_id, struct layer *ret)
{
  const struct parent_path *p = &h->paths.p[i];
  CLEANUP_FREE char *why = NULL;
  struct find f = { 0 };
  int err, r;

  if (start_record (h, i) == -1)
    return STOP;
  /* What a zero id means is a raw file, and that we do not guess (6.6). */
  if (guid_is_zero (h->header->parent_id) && !p->is_explicit)
    return set_outcome (h, i, VHDKIT_CANDIDATE_UNUSABLE,
                        "not tried: a raw parent must be named by the "
                        "operator");
  if (parent_file_open (p, h->ps->confine, &h->roots, &f.store, &f.path,
                        &why, &err) == -1)
    return STOP;
  if (f.store == NULL)
    return no_file (h, i, why, err);

  r = try_file (h, i, &f, any_id, ret);
  /* Read-only: nothing is lost if closing fails. */
  if (f.image)
    image_close (f.image);
  store_close (f.store);
  free (f.path);
  free (f.shown);
  return r;
}

static int
try_all (struct hunt *h, struct layer *ret)
{
  size_t i;
  int r;

  for (i = 0; i < h->paths.n; i++) {
    r = try_path (h, i, h->ps->ignore_id && h->paths.p[i].is_explicit, ret);
    if (r != GO_ON)
      return r;
  }
  if (h->ps->ignore_id && h->have_other)
    return try_path (h, h->first_other, true, ret);
  return GO_ON;
}

/*----------------------------------------------------------------------
 * The whole search
 *--------------------------------------------------------------------*/

static void
print_tried (FILE *fp, const struct hunt *h)
{
  char platform[5];
  size_t i, n;

  for (i = 0; i < h->nr_tried; i++) {
    const struct vhdkit_candidate *c = &h->candidates[i];

    n = strlen (c->path);
    if (n > SHOWN_IN_MESSAGE)   /* not within a character */
      for (n = SHOWN_IN_MESSAGE; n > 0 && (c->path[n] & 0xc0) == 0x80; n--)
        ;
    fprintf (fp, "%s%.*s%s (%s): %s", i == 0 ? "; tried " : "; ",
             (int) n, c->path, c->path[n] ? "..." : "", c->source, c->outcome);
  }
  for (i = 0; i < h->nr_names; i++)
    if (h->names[i].problem) {
      platform_text (h->names[i].platform, platform);
      fprintf (fp, "; the locator \"%s\" cannot be used: %s", platform,
               h->names[i].problem);
    }
}

/* All places and what was there; malloced. */
static char *
what_was_tried (const struct hunt *h)
{
  char *text = NULL;
  size_t size;
  FILE *fp = open_memstream (&text, &size);

  if (fp == NULL)
    return NULL;
  print_tried (fp, h);
  if (fclose (fp) == EOF) {
    free (text);
    return NULL;
  }
  return text;
}

static void
nothing_found (struct hunt *h)
{
  CLEANUP_FREE char *tried = NULL;

  if (h->why >= FOUND_DENIED) {
    error_restore (&h->error);
    return;
  }
  tried = what_was_tried (h);
  if (tried == NULL)
    set_error (VHDKIT_ERR_NO_MEMORY, ENOMEM, "%s: its parent was not found, "
               "and memory is too short to say where", h->name);
  else if (h->why == FOUND_OTHER_ID)
    set_error (VHDKIT_ERR_PARENT_ID_MISMATCH, ESTALE,
               "%s: its parent has the id %s, and no file with that id was "
               "found%s; name the parent with parent=FILE, or its folder with "
               "search=DIRECTORY, or accept another id with "
               "ignore-parent-id=true", h->name, h->id_text, tried);
  else if (h->why == FOUND_CYCLE)
    set_error (VHDKIT_ERR_CHAIN_CYCLE, ELOOP,
               "%s: all that it names as its parent is in this chain of "
               "images already%s; name the parent with parent=FILE, or its "
               "folder with search=DIRECTORY", h->name, tried);
  else if (guid_is_zero (h->header->parent_id))
    set_error (VHDKIT_ERR_PARENT_NOT_FOUND, ENOENT,
               "%s: its parent is a raw file (the parent id is all zero), "
               "which is used only when named with parent=raw:FILE%s",
               h->name, tried);
  else
    set_error (VHDKIT_ERR_PARENT_NOT_FOUND, ENOENT,
               "%s: its parent was not found%s; name it with parent=FILE, or "
               "its folder with search=DIRECTORY", h->name, tried);
}

static int
prepare (struct hunt *h, const char *child_path)
{
  const struct vhd_footer *footer = image_footer (h->child);

  h->name = shown_path (child_path, SHOWN_IN_LIST);
  if (h->name == NULL)
    return -1;
  if (h->header == NULL || footer->type != VHD_DIFFERENCING) {
    set_error (VHDKIT_ERR_WRONG_TYPE, EINVAL,
               "%s: is not a differencing image, so it has no parent", h->name);
    return -1;
  }
  id_text (h, h->header->parent_id, h->id_text);
  if (stored_names_read (h->child, h->names, &h->nr_names) == -1 ||
      parent_paths_list (child_path, vhd_creator_is_tap (footer), h->names,
                         h->nr_names, h->ps, &h->paths) == -1)
    return -1;
  if (h->ps->confine && roots_open (h->ps, child_path, &h->roots) == -1)
    return -1;
  h->candidates = calloc (h->paths.n + 1, sizeof *h->candidates);
  if (h->candidates == NULL) {
    set_error_errno (errno, "%s", h->name);
    return -1;
  }
  return 0;
}

int
parent_open (struct image *child, const char *child_path,
             const struct parent_search *ps, const struct layer *chain,
             size_t n, struct layer *ret_layer,
             struct vhdkit_candidate **ret_candidates,
             size_t *ret_nr_candidates)
{
  struct hunt h = {
    .child = child, .header = image_header (child), .ps = ps,
    .chain = chain, .nr_chain = n,
  };
  int r = prepare (&h, child_path);

  if (r == 0)
    r = try_all (&h, ret_layer);
  if (r == GO_ON)
    nothing_found (&h);

  stored_names_free (h.names, h.nr_names);
  parent_paths_free (&h.paths);
  roots_close (&h.roots);
  error_discard (&h.error);
  free (h.name);
  *ret_candidates = h.candidates;
  *ret_nr_candidates = h.nr_tried;
  return r == TAKEN ? 0 : -1;
}

void
parent_candidates_free (struct vhdkit_candidate *c, size_t n)
{
  size_t i;

  if (c == NULL)
    return;
  for (i = 0; i < n; i++) {
    free ((char *) c[i].path);
    free ((char *) c[i].source);
    free ((char *) c[i].outcome);
  }
  free (c);
}
