/* vhdkit tests: small images in a folder of their own, and opening their
 * parents.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Every test runs in a fresh temporary folder (setup, teardown), which is the
 * working directory too: files are made by relative names, AT ("x") is the
 * absolute one.  Include after cmocka.h.
 */
#ifndef PARENT_IMAGES_H
#define PARENT_IMAGES_H

#include <config.h>

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/text.h"
#include "disk/disk.h"

#define IMAGE_BYTES (4u << 20)

static char folder[PATH_MAX];
static size_t descriptors;      /* open when the test began */
static char *names[64];         /* made by AT */
static size_t nr_names;

/* The absolute name; good until the end of the test. */
#define AT(name) at (name)
static inline const char *
at (const char *name)
{
  char *absolute = text_format ("%s/%s", folder, name);

  assert_non_null (absolute);
  assert_true (nr_names < sizeof names / sizeof names[0]);
  return names[nr_names++] = absolute;
}

static inline size_t
count_descriptors (void)
{
  size_t n = 0;
  int fd;

  for (fd = 0; fd < 256; fd++)
    n += fcntl (fd, F_GETFD) != -1;
  return n;
}

static inline int
setup (void **state)
{
  const char *tmp = getenv ("TMPDIR");
  char template[PATH_MAX];

  (void) state;
  snprintf (template, sizeof template, "%s/test-parents-XXXXXX",
            tmp ? tmp : "/tmp");
  assert_non_null (mkdtemp (template));
  assert_non_null (realpath (template, folder));
  assert_int_equal (chdir (folder), 0);
  descriptors = count_descriptors ();
  return 0;
}

static inline int
remove_one (const char *path, const struct stat *st, int type, struct FTW *f)
{
  (void) st;
  (void) type;
  (void) f;
  return remove (path);
}

static inline int
teardown (void **state)
{
  (void) state;
  assert_int_equal (count_descriptors (), descriptors);
  while (nr_names > 0)
    free (names[--nr_names]);
  assert_int_equal (chdir ("/"), 0);
  return nftw (folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/*----------------------------------------------------------------------
 * Making images
 *--------------------------------------------------------------------*/

/* text is UTF-8 and becomes what the platform wants; with size it is the
 * payload as it is. */
struct test_locator {
  uint32_t platform;
  const char *text;
  size_t size;
};

struct test_image {
  uint8_t id;                   /* all 16 bytes are this */
  uint8_t parent_id;
  uint32_t type;                /* 0: differencing if there is a parent id or
                                   a name or a locator, else dynamic */
  uint64_t size;                /* 0: IMAGE_BYTES */
  const char *creator;          /* 4 bytes; NULL: as by default */
  uint32_t parent_timestamp;
  const char *name;             /* parent name of the header */
  const uint8_t *raw_name;      /* 512 bytes, instead */
  struct test_locator locator[VHD_LOCATORS];
};

static inline void
write_locator (struct store *s, const struct test_locator *l, uint64_t *next,
               struct vhd_locator *ret)
{
  void *payload;
  size_t size = l->size;

  if (size > 0 || l->platform == VHD_PLATFORM_MACX) {
    if (size == 0)
      size = strlen (l->text);
    payload = malloc (size + 1);
    memcpy (payload, l->text, size);
  }
  else {
    payload = utf8_to_utf16 (l->text, false, &size);
    assert_non_null (payload);
  }
  ret->platform = l->platform;
  ret->space = round_up (size, SECTOR_SIZE);
  ret->length = size;
  ret->offset = *next;
  if (size > 0)
    assert_int_equal (store_pwrite (s, payload, size, *next), 0);
  *next += ret->space;
  free (payload);
}

static inline void
fill_name (struct vhd_header *h, const struct test_image *t)
{
  void *name;
  size_t size;

  if (t->raw_name)
    memcpy (h->parent_name, t->raw_name, sizeof h->parent_name);
  else if (t->name) {
    name = utf8_to_utf16 (t->name, true, &size);
    assert_non_null (name);
    assert_true (size <= sizeof h->parent_name);
    memcpy (h->parent_name, name, size);
    free (name);
  }
}

static inline void
write_dynamic (struct store *s, const struct test_image *t,
               struct vhd_footer *f)
{
  struct vhd_footer_disk fd;
  struct vhd_header_disk hd;
  struct vhd_header h;
  uint8_t table[SECTOR_SIZE];
  uint64_t next = 2048;
  size_t i;

  vhd_header_init (&h, f->current_size, VHD_DEFAULT_BLOCK_SIZE, 1536);
  memset (h.parent_id, t->parent_id, 16);
  h.parent_timestamp = t->parent_timestamp;
  fill_name (&h, t);
  for (i = 0; i < VHD_LOCATORS; i++)
    if (t->locator[i].platform)
      write_locator (s, &t->locator[i], &next, &h.locator[i]);

  next = round_up (next, 4096);
  memset (table, 0xff, sizeof table);
  vhd_footer_encode (f, &fd);
  vhd_header_encode (&h, &hd);
  assert_int_equal (store_pwrite (s, &fd, sizeof fd, 0), 0);
  assert_int_equal (store_pwrite (s, &hd, sizeof hd, 512), 0);
  assert_int_equal (store_pwrite (s, table, sizeof table, 1536), 0);
  assert_int_equal (store_pwrite (s, &fd, sizeof fd, next), 0);
}

static inline void
make_image (const char *path, const struct test_image *t)
{
  struct store *s = store_create_file (path, 0644);
  struct vhd_footer f;
  struct vhd_footer_disk d;
  uint32_t type = t->type;

  assert_non_null (s);
  if (type == 0)
    type = t->parent_id || t->name || t->raw_name || t->locator[0].platform
      ? VHD_DIFFERENCING : VHD_DYNAMIC;
  vhd_footer_init (&f, type, t->size ? t->size : IMAGE_BYTES);
  memset (f.id, t->id, 16);
  if (t->creator)
    memcpy (f.creator, t->creator, 4);
  if (type == VHD_FIXED) {
    vhd_footer_encode (&f, &d);
    assert_int_equal (store_truncate (s, f.current_size), 0);
    assert_int_equal (store_pwrite (s, &d, sizeof d, f.current_size), 0);
  }
  else
    write_dynamic (s, t, &f);
  assert_int_equal (store_close (s), 0);
}

#define MAKE(path, ...)                                                 \
  make_image (path, &(struct test_image) { __VA_ARGS__ })

/* A dynamic image without parent. */
static inline void
make_base (const char *path, uint8_t id)
{
  MAKE (path, .id = id);
}

static inline void
make_file (const char *path, const char *content, size_t size)
{
  int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

  assert_true (fd >= 0);
  assert_int_equal (write (fd, content, size), (ssize_t) size);
  assert_int_equal (close (fd), 0);
}

static inline void
make_folder (const char *path)
{
  assert_int_equal (mkdir (path, 0755), 0);
}

/*----------------------------------------------------------------------
 * Looking for the parent
 *--------------------------------------------------------------------*/

struct outcome {
  bool found;
  char path[PATH_MAX];          /* of the parent, if found */
  bool raw;
  uint64_t size;
  enum vhdkit_error code;       /* if not */
  char *error;
  struct vhdkit_candidate *candidates;
  size_t n;
  enum vhdkit_error findings[16];
  size_t nr_findings;
};

static inline int
collect_finding (void *opaque, const struct vhdkit_finding *f)
{
  struct outcome *o = opaque;

  if (f->severity >= VHDKIT_SEVERITY_ERROR)
    return 1;
  if (f->severity == VHDKIT_SEVERITY_WARNING && o->nr_findings < 16)
    o->findings[o->nr_findings++] = f->code;
  return 0;
}

static inline struct image *
open_child (const char *path)
{
  struct store *s = store_open_file (AT_FDCWD, path, false, false);
  struct report r = { .file = path };
  struct image_options o = { .report = &r };
  struct image *child;

  assert_non_null (s);
  if (image_open (s, &o, &child) == -1)
    fail_msg ("%s", vhdkit_get_error ());
  return child;
}

/* Find the parent of child, which is the only layer so far. */
static inline struct outcome
find_parent (const char *path, const struct parent_search *search)
{
  struct outcome o = { 0 };
  struct report r = { .fn = collect_finding, .opaque = &o, .file = path };
  struct parent_search ps = { .lock = true };
  struct image *child = open_child (path);
  struct layer chain = { 0 }, parent;

  if (search)
    ps = *search;
  ps.report = &r;
  chain.image = child;
  chain.store = image_store (child);
  assert_int_equal (store_identity (chain.store, &chain.id), 0);
  o.found = parent_open (child, path, &ps, &chain, 1, &parent,
                         &o.candidates, &o.n) == 0;
  if (o.found) {
    snprintf (o.path, sizeof o.path, "%s", parent.path);
    o.raw = parent.image == NULL;
    o.size = parent.size;
    if (parent.image)
      image_close (parent.image);
    else
      store_close (parent.store);
    free (parent.path);
  }
  else {
    o.code = vhdkit_get_error_code ();
    o.error = strdup (vhdkit_get_error ());
  }
  image_close (child);
  return o;
}

static inline void
forget (struct outcome *o)
{
  free (o->error);
  parent_candidates_free (o->candidates, o->n);
}

/* The record of a path, or NULL if it was not tried. */
static inline const struct vhdkit_candidate *
tried (const struct outcome *o, const char *path)
{
  size_t i;

  for (i = 0; i < o->n; i++)
    if (strcmp (o->candidates[i].path, path) == 0)
      return &o->candidates[i];
  return NULL;
}

static inline void
expect_tried (const struct outcome *o, const char *path, const char *outcome)
{
  const struct vhdkit_candidate *c = tried (o, path);

  if (c == NULL)
    fail_msg ("%s was not tried", path);
  if (strstr (c->outcome, outcome) == NULL)
    fail_msg ("%s: %s, expected %s", path, c->outcome, outcome);
}

/* Find the parent of child, and it is path. */
static inline void
expect_parent (const char *child, const struct parent_search *ps,
               const char *path)
{
  struct outcome o = find_parent (child, ps);

  if (!o.found)
    fail_msg ("%s", o.error);
  assert_string_equal (o.path, path);
  expect_tried (&o, path, "used");
  forget (&o);
}

/* There is none, for this reason; text is in the message. */
static inline void
expect_error (const char *child, const struct parent_search *ps,
              enum vhdkit_error code, const char *text)
{
  struct outcome o = find_parent (child, ps);

  assert_false (o.found);
  if (o.code != code || strstr (o.error, text) == NULL)
    fail_msg ("%s: %s; expected %s: %s", vhdkit_error_name (o.code), o.error,
              vhdkit_error_name (code), text);
  forget (&o);
}

static inline bool
has_finding (const struct outcome *o, enum vhdkit_error code)
{
  size_t i;

  for (i = 0; i < o->nr_findings; i++)
    if (o->findings[i] == code)
      return true;
  return false;
}

#endif
