/* vhdkit info: all there is to know of an image.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools.h"

/* "label:       value"; no label: what was said before goes on. */
static void
line (const char *label, const char *fmt, ...)
  __attribute__ ((format (printf, 2, 3)));

static void
line (const char *label, const char *fmt, ...)
{
  char head[32];
  va_list args;

  snprintf (head, sizeof head, "%s%s", label, label[0] ? ":" : "");
  printf ("%-18s ", head);
  va_start (args, fmt);
  vprintf (fmt, args);
  va_end (args);
  putchar ('\n');
}

/* The same for text that comes from the image or its name. */
static void
line_text (const char *label, const char *text)
{
  char *clean = printable (text);

  line (label, "%s", clean);
  free (clean);
}

static const char *
yes_no (bool b)
{
  return b ? "yes" : "no";
}

static void
show_geometry (const struct vhdkit_layer_info *l)
{
  const char *readers = geometry_readers (l);
  bool more = l->chs_size > l->virtual_size;
  uint64_t diff = more ? l->chs_size - l->virtual_size
    : l->virtual_size - l->chs_size;

  line ("geometry", "%u cylinders, %u heads, %u sectors: %s",
        l->cylinders, l->heads, l->sectors, exact_size (l->chs_size).s);
  if (diff)
    line ("", "%" PRIu64 " bytes %s than the virtual size", diff,
          more ? "more" : "less");
  if (readers)
    line ("", "%s would present this size", readers);
}

static void
show_creator (const struct vhdkit_layer_info *l)
{
  char *creator = printable (l->creator), *os = printable (l->creator_os);
  const char *name = creator_name (l);

  line ("creator", "\"%s\" %u.%u on \"%s\"%s%s%s", creator, l->creator_major,
        l->creator_minor, os, name ? " (" : "", name ? name : "",
        name ? ")" : "");
  free (creator);
  free (os);
}

static void
show_footer (const struct vhdkit_layer_info *l)
{
  show_geometry (l);
  line ("original size", "%s", exact_size (l->original_size).s);
  line ("id", "%s", l->id_text);
  line ("created", "%s", vhd_date (l->timestamp).s);
  show_creator (l);
  line ("features", "0x%" PRIx32 "%s", l->features,
        l->features & 1 ? " (temporary)" : "");
  line ("format version", "%u.%u", l->version >> 16, l->version & 0xffff);
  line ("checksum", "0x%08" PRIx32, l->checksum);
  line ("saved state", "%s", yes_no (l->saved_state));
  line ("hidden", "%s", yes_no (l->hidden));
  line ("footer", "%s", l->footer_missing
        ? "missing; the copy at the start is used" : "at the end");
}

static void
show_blocks (const struct vhdkit_layer_info *l)
{
  line ("header", "at offset %" PRIu64, l->header_offset);
  line ("block table", "at offset %" PRIu64 ", %" PRIu32 " entries",
        l->table_offset, l->table_entries);
  line ("block size", "%s", exact_size (l->block_size).s);
  line ("blocks allocated", "%" PRIu32, l->blocks_allocated);
  line ("data aligned", "%s",
        l->data_aligned ? "yes, to 4 KiB" : "no");
  line ("batmap", "%s", yes_no (l->has_batmap));
}

static void
show_locator (const struct vhdkit_locator *loc)
{
  char *platform = printable (loc->platform);
  char *text = printable (loc->text ? loc->text : "");

  line ("parent locator", "%s%s%s%s%s%s (%" PRIu32 " of %" PRIu32
        " at offset %" PRIu64 ")", platform,
        loc->text ? " \"" : "", text, loc->text ? "\"" : "",
        loc->problem ? ": " : "", loc->problem ? loc->problem : "",
        loc->length, loc->space, loc->offset);
  free (platform);
  free (text);
}

static void
show_candidate (const struct vhdkit_candidate *c)
{
  char *path = printable (c->path), *outcome = printable (c->outcome);

  line ("parent search", "%s: %s: %s", c->source, path, outcome);
  free (path);
  free (outcome);
}

static void
show_parent (const struct vhdkit_layer_info *l)
{
  const struct link link = layer_link (l);
  char *state = link_text (&link);
  size_t i;

  line ("parent id", "%s", l->parent_id_text);
  line ("parent time", "%s", l->parent_timestamp
        ? vhd_date (l->parent_timestamp).s : "not recorded");
  for (i = 0; i < l->nr_locators; i++)
    show_locator (&l->locators[i]);
  for (i = 0; i < l->nr_candidates; i++)
    show_candidate (&l->candidates[i]);
  if (strcmp (link.state, "ok") == 0)
    line_text ("parent", link.candidate->path);
  else
    line ("parent", "%s", state);
  free (state);
}

static void
show_layer (const struct vhdkit_layer_info *l)
{
  line_text ("image", l->path);
  line ("type", "%s", type_name (l->type));
  line ("virtual size", "%s", exact_size (l->virtual_size).s);
  line ("file size", "%s", exact_size (l->file_size).s);
  line ("disk usage", "%s", exact_size (l->allocated_size).s);
  if (l->type != VHDKIT_TYPE_RAW)
    show_footer (l);
  if (l->block_size)
    show_blocks (l);
  if (l->type == VHDKIT_TYPE_DIFFERENCING)
    show_parent (l);
}

/* The first nr layers. */
static void
show_layers (vhdkit_disk *disk, size_t nr)
{
  size_t i;

  for (i = 0; i < nr; i++) {
    if (i > 0)
      putchar ('\n');
    show_layer (layer_info (disk, i));
  }
}

/* One object, or with --chain an array of them, as qemu-img does. */
static void
show_json (vhdkit_disk *disk, size_t nr, bool chain)
{
  json_t *array;
  size_t i;

  if (!chain) {
    json_print (layer_json (layer_info (disk, 0)));
    return;
  }
  array = json_array ();
  for (i = 0; i < nr; i++)
    json_append (array, layer_json (layer_info (disk, i)));
  json_print (array);
}

static int
info (const char *file, const struct image_options *o, bool chain)
{
  vhdkit_disk *disk = open_image (file, o, VHDKIT_OPEN_INSPECT);
  size_t nr;

  if (disk == NULL)
    return STATUS_FAILED;
  nr = chain ? vhdkit_layers (disk) : 1;
  if (o->json)
    show_json (disk, nr, chain);
  else
    show_layers (disk, nr);
  warn_if_incomplete (disk);
  return close_image (file, disk, STATUS_OK);
}

static int
run (int argc, char *argv[])
{
  static const struct option options[] = {
    HELP_OPTIONS,
    IMAGE_OPTIONS,
    { "chain", no_argument, NULL, OPT_OWN },
    { "backing-chain", no_argument, NULL, OPT_OWN },
    { NULL, 0, NULL, 0 }
  };
  struct image_options o = { .json = false };
  bool chain = false;
  const char *file;
  int c, status = -1;

  while (status == -1
         && (c = getopt_long (argc, argv, HELP_LETTERS IMAGE_LETTERS,
                              options, NULL)) != -1) {
    if (c == OPT_OWN)
      chain = true;
    else
      status = shared_option (c, &o);
  }
  if (status == -1) {
    file = only_argument (argc, argv);
    status = file ? info (file, &o, chain) : command->usage_status;
  }
  image_options_free (&o);
  return status;
}

const struct command cmd_info = {
  .name = "info",
  .summary = "show all fields of an image, and how its parent is found",
  .synopsis = "[OPTIONS] FILE",
  .help =
    "  --chain                 show every image of the chain\n"
    "  --backing-chain         the same\n"
    IMAGE_HELP,
  .usage_status = STATUS_USAGE,
  .run = run,
};
