/* vhdkit chain: an image and its parents, a line each.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools.h"

#define COLUMNS 7

static const char *const heading[COLUMNS] = {
  "Depth", "Type", "Virtual size", "File size", "Id", "Parent", "File"
};

/* Malloced. */
static char *
cell (const struct vhdkit_layer_info *l, size_t depth, int column)
{
  const struct link link = layer_link (l);
  char number[32];

  switch (column) {
  case 0:
    snprintf (number, sizeof number, "%zu", depth);
    return printable (number);
  case 1:
    return printable (type_name (l->type));
  case 2:
    return printable (human_size (l->virtual_size).s);
  case 3:
    return printable (human_size (l->file_size).s);
  case 4:
    return printable (l->type == VHDKIT_TYPE_RAW ? "-" : l->id_text);
  case 5:
    return link_text (&link);
  default:
    return printable (l->path);
  }
}

static size_t
column_width (vhdkit_disk *disk, int column)
{
  size_t width = strlen (heading[column]), i;

  for (i = 0; i < vhdkit_layers (disk); i++) {
    char *text = cell (layer_info (disk, i), i, column);
    size_t n = strlen (text);

    if (n > width)
      width = n;
    free (text);
  }
  return width;
}

static void
show_table (vhdkit_disk *disk)
{
  int width[COLUMNS], column;
  size_t i;

  for (column = 0; column < COLUMNS - 1; column++) {
    width[column] = (int) column_width (disk, column);
    printf ("%-*s  ", width[column], heading[column]);
  }
  printf ("%s\n", heading[column]);
  for (i = 0; i < vhdkit_layers (disk); i++)
    for (column = 0; column < COLUMNS; column++) {
      char *text = cell (layer_info (disk, i), i, column);

      if (column < COLUMNS - 1)
        printf ("%-*s  ", width[column], text);
      else                      /* nothing is aligned after it */
        printf ("%s\n", text);
      free (text);
    }
}

static json_t *
entry_json (const struct vhdkit_layer_info *l, size_t depth)
{
  const struct link link = layer_link (l);
  const struct vhdkit_candidate *c = link.candidate;
  json_t *o = json_object ();

  json_add_uint (o, "depth", depth);
  json_add_text (o, "filename", l->path);
  json_add_text (o, "type", type_name (l->type));
  json_add_uint (o, "virtual-size", l->virtual_size);
  json_add_uint (o, "file-size", l->file_size);
  json_add_uint (o, "actual-size", l->allocated_size);
  json_add_text (o, "id", l->type == VHDKIT_TYPE_RAW ? NULL : l->id_text);
  json_add_text (o, "parent-id", l->type == VHDKIT_TYPE_DIFFERENCING
                 ? l->parent_id_text : NULL);
  json_add_text (o, "parent-state", link.state);
  json_add_text (o, "parent-source", c ? c->source : NULL);
  json_add_text (o, "parent-outcome", c ? c->outcome : NULL);
  return o;
}

static void
show_json (vhdkit_disk *disk)
{
  json_t *array = json_array ();
  size_t i;

  for (i = 0; i < vhdkit_layers (disk); i++)
    json_append (array, entry_json (layer_info (disk, i), i));
  json_print (array);
}

static int
chain (const char *file, const struct image_options *o)
{
  vhdkit_disk *disk = open_image (file, o, VHDKIT_OPEN_INSPECT);

  if (disk == NULL)
    return STATUS_FAILED;
  if (o->json)
    show_json (disk);
  else
    show_table (disk);
  warn_if_incomplete (disk);
  return close_image (file, disk, STATUS_OK);
}

static int
run (int argc, char *argv[])
{
  static const struct option options[] = {
    HELP_OPTIONS,
    IMAGE_OPTIONS,
    { NULL, 0, NULL, 0 }
  };
  struct image_options o = { .json = false };
  const char *file;
  int c, status = -1;

  while (status == -1
         && (c = getopt_long (argc, argv, HELP_LETTERS IMAGE_LETTERS,
                              options, NULL)) != -1)
    status = shared_option (c, &o);
  if (status == -1) {
    file = only_argument (argc, argv);
    status = file ? chain (file, &o) : command->usage_status;
  }
  image_options_free (&o);
  return status;
}

const struct command cmd_chain = {
  .name = "chain",
  .summary = "list an image and its parents",
  .synopsis = "[OPTIONS] FILE",
  .help = IMAGE_HELP,
  .usage_status = STATUS_USAGE,
  .run = run,
};
