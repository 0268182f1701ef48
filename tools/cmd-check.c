/* vhdkit check: is the image, with all its parents, sound?
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Findings are written as they come: a hostile image can have a great many.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "profile.h"

/* As of qemu-img check, which has no profiles; the first is for usage errors,
 * too. */
enum {
  CHECK_IMPOSSIBLE = 1,
  CHECK_CORRUPT = 2,
  CHECK_LEAKS = 3,
  CHECK_NOT_FIT = STATUS_PARTIAL
};

struct check {
  const char *file;
  bool json, quiet, data;
  bool begun;                   /* the JSON object is open */
  bool any;                     /* a finding was written */
  const struct profile *profile;        /* or NULL */
  struct facts facts;           /* for the profile */
};

static const struct { const char *shown, *json; } severity[] = {
  [VHDKIT_SEVERITY_NOTE] = { "NOTE", "note" },
  [VHDKIT_SEVERITY_WARNING] = { "WARNING", "warning" },
  [VHDKIT_SEVERITY_LEAK] = { "LEAK", "leak" },
  [VHDKIT_SEVERITY_ERROR] = { "ERROR", "error" },
};

/* Text from an image, fit for a terminal; empty for NULL. */
static void
put (const char *before, const char *text, const char *after)
{
  char *clean = printable (text ? text : "");

  printf ("%s%s%s", before, clean, after);
  free (clean);
}

static void
write_human (const struct vhdkit_finding *f)
{
  printf ("%s", severity[f->severity].shown);
  put (" ", f->file, ": ");
  put ("", f->structure, "");
  printf (" at offset %" PRIu64 " (0x%" PRIx64 ")", f->offset, f->offset);
  put (": found ", f->found, "");
  put (", expected ", f->expected, ".");
  put (" ", f->meaning, "\n");
}

static json_t *
finding_json (const struct vhdkit_finding *f)
{
  json_t *o = json_object ();

  json_add_text (o, "severity", severity[f->severity].json);
  json_add_text (o, "code", vhdkit_error_name (f->code));
  json_add_text (o, "filename", f->file);
  json_add_text (o, "structure", f->structure);
  json_add_uint (o, "offset", f->offset);
  json_add_text (o, "found", f->found);
  json_add_text (o, "expected", f->expected);
  json_add_text (o, "meaning", f->meaning);
  return o;
}

static void
json_begin (struct check *k)
{
  if (!k->begun)
    printf ("{\n    \"findings\": [");
  k->begun = true;
}

static int
add_finding (void *opaque, const struct vhdkit_finding *f)
{
  struct check *k = opaque;
  json_t *o;

  if (f->code == VHDKIT_ERR_PARENT_SIZE_MISMATCH)
    k->facts.size_differs = true;
  if (f->code == VHDKIT_ERR_PARENT_TIMESTAMP_MISMATCH)
    k->facts.time_differs = true;
  if (k->quiet)
    return 0;
  if (!k->json)
    write_human (f);
  else {
    json_begin (k);
    printf ("%s\n        ", k->any ? "," : "");
    o = finding_json (f);
    json_dumpf (o, stdout, 0);
    json_decref (o);
  }
  k->any = true;
  return 0;
}

/* r is NULL if the check could not be made, verdict if there is no profile. */
static void
json_end (struct check *k, const struct vhdkit_check_result *r,
          json_t *verdict)
{
  json_t *o = json_object (), *value;
  const char *key;

  json_begin (k);
  printf ("%s]", k->any ? "\n    " : "");
  /* The names of qemu-img where it counts the same. */
  json_add_text (o, "filename", k->file);
  json_add_text (o, "format", "vhd");
  json_add_uint (o, "check-errors", r ? 0 : 1);
  if (r) {
    json_add_uint (o, "corruptions", r->errors);
    json_add_uint (o, "leaks", r->leaks);
    json_add_uint (o, "leaked-bytes", r->leaked_bytes);
    json_add_uint (o, "warnings", r->warnings);
    json_add_uint (o, "notes", r->notes);
    json_add_uint (o, "total-clusters", r->blocks_total);
    json_add_uint (o, "allocated-clusters", r->blocks_allocated);
    json_add_uint (o, "image-end-offset", r->image_end_offset);
  }
  if (verdict)
    json_add (o, "profile", verdict);
  json_object_foreach (o, key, value) {
    printf (",\n    \"%s\": ", key);
    json_dumpf (value, stdout, JSON_ENCODE_ANY);
  }
  printf ("\n}\n");
  json_decref (o);
}

static void
count (uint64_t n, const char *what, const char *end)
{
  printf ("%" PRIu64 " %s%s%s", n, what, n == 1 ? "" : "s", end);
}

static void
write_summary (const struct vhdkit_check_result *r)
{
  if (r->errors == 0 && r->leaks == 0)
    printf ("No errors were found on the image.\n");
  count (r->errors, "error", ", ");
  count (r->leaks, "leak", "");
  if (r->leaked_bytes)
    printf (" (%s)", human_size (r->leaked_bytes).s);
  printf (", ");
  count (r->warnings, "warning", ", ");
  count (r->notes, "note", ".\n");
  if (r->blocks_total)
    printf ("%" PRIu64 "/%" PRIu64 " = %.2f%% of the blocks allocated.\n",
            r->blocks_allocated, r->blocks_total,
            100.0 * (double) r->blocks_allocated / (double) r->blocks_total);
  printf ("Image end offset: %" PRIu64 "\n", r->image_end_offset);
}

/* Whether the image fits the profile, if there is one; *ret_json is only set
 * for JSON. */
static bool
fits_profile (struct check *k, const struct vhdkit_check_result *r,
              const struct image_options *o, json_t **ret_json)
{
  bool fits;

  if (k->profile == NULL)
    return true;
  k->facts.errors = r->errors;
  facts_of_image (&k->facts, k->file, o);
  fits = judge_image (k->profile, &k->facts, k->quiet,
                      k->json && !k->quiet ? ret_json : NULL);
  facts_free (&k->facts);
  return fits;
}

static int
check (struct check *k, const struct image_options *o)
{
  const struct vhdkit_open_options opts = open_options (o, add_finding, k);
  struct vhdkit_check_result r;
  uint32_t flags = o->flags;
  json_t *verdict = NULL;
  bool fits;

  if (k->data)
    flags |= VHDKIT_CHECK_DATA;
  if (vhdkit_check (k->file, flags, &opts, &r) == -1) {
    if (k->begun)               /* what was begun is ended well */
      json_end (k, NULL, NULL);
    complain_library (k->file);
    return CHECK_IMPOSSIBLE;
  }
  if (!k->quiet && !k->json)
    write_summary (&r);
  fits = fits_profile (k, &r, o, &verdict);
  if (!k->quiet && k->json)
    json_end (k, &r, verdict);
  return r.errors ? CHECK_CORRUPT : !fits ? CHECK_NOT_FIT
    : r.leaks ? CHECK_LEAKS : STATUS_OK;
}

enum {
  OPT_DATA = OPT_OWN,
  OPT_PROFILE
};

static int
run (int argc, char *argv[])
{
  static const struct option options[] = {
    HELP_OPTIONS,
    IMAGE_OPTIONS,
    { "quiet", no_argument, NULL, 'q' },
    { "data", no_argument, NULL, OPT_DATA },
    { "profile", required_argument, NULL, OPT_PROFILE },
    { NULL, 0, NULL, 0 }
  };
  struct image_options o = { .json = false };
  struct check k = { .file = NULL };
  int c, status = -1;

  while (status == -1
         && (c = getopt_long (argc, argv, HELP_LETTERS IMAGE_LETTERS "q",
                              options, NULL)) != -1) {
    if (c == 'q')
      k.quiet = true;
    else if (c == OPT_DATA)
      k.data = true;
    else if (c == OPT_PROFILE) {
      k.profile = find_profile (optarg);
      status = k.profile ? -1 : command->usage_status;
    }
    else
      status = shared_option (c, &o);
  }
  if (status == -1) {
    k.json = o.json;
    k.file = only_argument (argc, argv);
    status = k.file ? check (&k, &o) : command->usage_status;
  }
  image_options_free (&o);
  return status;
}

const struct command cmd_check = {
  .name = "check",
  .summary = "examine an image and its whole chain for damage",
  .synopsis = "[OPTIONS] FILE",
  .help =
    "  -q, --quiet             say nothing, only exit\n"
    "  --data                  read the data, too\n"
    "  --profile PROFILE       is it fit for azure, hyperv, vs2005, or xen?\n"
    IMAGE_HELP,
  .usage_status = CHECK_IMPOSSIBLE,
  .run = run,
};
