/* vhdkit: fuzzing check.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Input: see patched.h.  CHOOSE_2: with a search for its parents, of which
 * there are none but itself.  CHOOSE_3: stop at the first finding.  An image
 * that check has nothing to say of opens for writing.
 */
#include <config.h>

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/image.h"
#include "operations/operations.h"
#include "patched.h"
#include "store-wrap.h"

extern int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

struct told {
  bool stop;
  unsigned n;
};

static int
on_finding (void *opaque, const struct vhdkit_finding *f)
{
  struct told *t = opaque;

  require (f->file && f->structure && f->found && f->expected && f->meaning);
  require (f->severity >= VHDKIT_SEVERITY_NOTE
           && f->severity <= VHDKIT_SEVERITY_ERROR);
  t->n++;
  return t->stop;
}

/* The image as a file without a name. */
static int
as_file (struct store *s)
{
  static int fd = -1;
  uint64_t size, end, at;
  uint8_t buf[65536];
  bool hole;

  if (fd == -1)
    fd = memfd_create ("fuzz", MFD_CLOEXEC);
  require (fd != -1);
  require (store_size (s, &size) == 0);
  require (ftruncate (fd, 0) == 0 && ftruncate (fd, size) == 0);
  for (at = 0; at < size; at = end) {
    require (store_next_extent (s, at, size, &end, &hole) == 0);
    if (end - at > sizeof buf)
      end = at + sizeof buf;
    if (!hole)
      require (store_pread (s, buf, end - at, at) == 0
               && pwrite (fd, buf, end - at, at) == (ssize_t) (end - at));
  }
  return fd;
}

static void
must_open (const struct patched *p)
{
  struct image_options o = { .writable = true };
  struct image *i;

  require (image_open (wrap_keep (p->store), &o, &i) == 0);
  require (image_close (i) == 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct patched p;
  struct told told = { 0 };
  struct vhdkit_open_options o = {
    .struct_size = sizeof o, .on_finding = on_finding, .opaque = &told
  };
  struct vhdkit_check_result r = { 0 };
  uint32_t flags = VHDKIT_CHECK_DATA;
  char path[40];

  if (patched_store (data, size, &p) == NULL)
    return 0;
  told.stop = p.choices & CHOOSE_3;
  if (!(p.choices & CHOOSE_2))
    flags |= VHDKIT_OPEN_NO_PARENTS;
  snprintf (path, sizeof path, "/proc/self/fd/%d", as_file (p.store));
  if (op_check (path, flags, &o, &r) == -1)
    require (vhdkit_get_error_code () != VHDKIT_OK
             && vhdkit_get_error ()[0] != '\0');
  else if (!told.stop) {
    require (r.errors + r.warnings + r.leaks + r.notes >= told.n);
    if (r.errors + r.warnings + r.notes == 0)
      must_open (&p);
  }
  store_close (p.store);
  return 0;
}
