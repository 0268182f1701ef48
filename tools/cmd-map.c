/* vhdkit map: which layer holds which part of the disk, and where.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Written as it is found, one entry late: the entry in hand grows as long as
 * the next extent continues it.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools.h"

struct map {
  bool json;
  char **name;                  /* of each layer: a JSON string, or printable */
  size_t nr_layers;
  bool any;                     /* something was written */
  struct vhdkit_extent entry;   /* in hand; length 0: none */
};

/* In words only what holds data, as qemu-img does it. */
static void
write_human (const struct map *m, const struct vhdkit_extent *e)
{
  if (e->layer < 0 || (e->flags & VHDKIT_EXTENT_ZERO))
    return;
  printf ("%#-16" PRIx64 "%#-16" PRIx64 "%-8d", e->offset, e->length,
          e->layer);
  if (e->file_offset != UINT64_MAX)
    printf ("%#-16" PRIx64, e->file_offset);
  else
    printf ("%-16s", "-");
  printf ("%s\n", m->name[e->layer]);
}

/* The keys of qemu-img, and "layer": which image holds it, null if none. */
static void
write_json (const struct map *m, const struct vhdkit_extent *e)
{
  bool held = e->layer >= 0;
  size_t depth = held ? (size_t) e->layer : m->nr_layers - 1;

  printf ("%s{ \"start\": %" PRIu64 ", \"length\": %" PRIu64
          ", \"depth\": %zu, \"present\": %s, \"zero\": %s, \"data\": %s"
          ", \"compressed\": false", m->any ? ",\n" : "[", e->offset,
          e->length, depth, held ? "true" : "false",
          e->flags & VHDKIT_EXTENT_ZERO ? "true" : "false",
          e->flags & VHDKIT_EXTENT_HOLE ? "false" : "true");
  if (e->file_offset != UINT64_MAX)
    printf (", \"offset\": %" PRIu64, e->file_offset);
  if (held)
    printf (", \"layer\": %d, \"filename\": %s}", e->layer,
            m->name[e->layer]);
  else
    printf (", \"layer\": null}");
}

static void
write_entry (struct map *m)
{
  if (m->entry.length == 0)
    return;
  if (m->json)
    write_json (m, &m->entry);
  else
    write_human (m, &m->entry);
  m->any = true;
  m->entry.length = 0;
}

static bool
continues (const struct vhdkit_extent *a, const struct vhdkit_extent *b)
{
  if (a->length == 0 || a->layer != b->layer || a->flags != b->flags)
    return false;
  if (a->file_offset == UINT64_MAX)
    return b->file_offset == UINT64_MAX;
  return b->file_offset == a->file_offset + a->length;
}

static int
add_extent (void *opaque, const struct vhdkit_extent *e)
{
  struct map *m = opaque;

  if (continues (&m->entry, e)) {
    m->entry.length += e->length;
    return 0;
  }
  write_entry (m);
  m->entry = *e;
  return ferror (stdout) ? 1 : 0;       /* nobody reads the rest */
}

static void
name_layers (struct map *m, vhdkit_disk *disk)
{
  size_t i;

  m->nr_layers = vhdkit_layers (disk);
  m->name = checked_alloc (calloc (m->nr_layers, sizeof *m->name));
  for (i = 0; i < m->nr_layers; i++) {
    const char *path = layer_info (disk, i)->path;

    if (m->json) {
      json_t *text = json_text (path);
      m->name[i] = checked_alloc (json_dumps (text, JSON_ENCODE_ANY));
      json_decref (text);
    }
    else
      m->name[i] = printable (path);
  }
}

static void
free_names (struct map *m)
{
  size_t i;

  for (i = 0; i < m->nr_layers; i++)
    free (m->name[i]);
  free (m->name);
}

static int
map_range (const char *file, struct map *m, vhdkit_disk *disk,
           uint64_t start, uint64_t length)
{
  uint64_t size = vhdkit_size (disk);
  int r = 0;

  if (start > size)
    start = size;
  if (length > size - start)
    length = size - start;
  if (!m->json)
    printf ("%-16s%-16s%-8s%-16s%s\n", "Offset", "Length", "Layer",
            "Mapped to", "File");
  if (length > 0)
    r = vhdkit_extents (disk, length, start, add_extent, m);
  write_entry (m);
  if (m->json)
    printf ("%s]\n", m->any ? "" : "[");
  if (r == -1)
    complain_library (file);
  return r == -1 ? STATUS_FAILED : STATUS_OK;
}

static int
map (const char *file, const struct image_options *o, uint64_t start,
     uint64_t length)
{
  struct map m = { .json = o->json };
  vhdkit_disk *disk = open_image (file, o, 0);
  int status;

  if (disk == NULL)
    return STATUS_FAILED;
  name_layers (&m, disk);
  status = map_range (file, &m, disk, start, length);
  free_names (&m);
  return close_image (file, disk, status);
}

static int
run (int argc, char *argv[])
{
  static const struct option options[] = {
    HELP_OPTIONS,
    IMAGE_OPTIONS,
    { "start-offset", required_argument, NULL, 's' },
    { "max-length", required_argument, NULL, 'l' },
    { NULL, 0, NULL, 0 }
  };
  struct image_options o = { .json = false };
  uint64_t start = 0, length = UINT64_MAX;
  const char *file;
  int c, status = -1;

  while (status == -1
         && (c = getopt_long (argc, argv, HELP_LETTERS IMAGE_LETTERS "s:l:",
                              options, NULL)) != -1) {
    if (c == 's' || c == 'l') {
      if (parse_size (c == 's' ? "--start-offset" : "--max-length", optarg,
                      UINT64_MAX, c == 's' ? &start : &length) == -1)
        status = command->usage_status;
    }
    else
      status = shared_option (c, &o);
  }
  if (status == -1) {
    file = only_argument (argc, argv);
    status = file ? map (file, &o, start, length) : command->usage_status;
  }
  image_options_free (&o);
  return status;
}

const struct command cmd_map = {
  .name = "map",
  .summary = "show which layer holds which part of the disk",
  .synopsis = "[OPTIONS] FILE",
  .help =
    "  -s, --start-offset N    begin there\n"
    "  -l, --max-length N      and go no further than this\n"
    IMAGE_HELP,
  .usage_status = STATUS_USAGE,
  .run = run,
};
