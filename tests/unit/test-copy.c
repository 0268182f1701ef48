/* vhdkit tests: copying a source into a new image.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Tests with numbers go through vhdkit_create, as programs do; the others look
 * at the copy itself, over stores that fail or live in memory.  Block devices:
 * test-copy-device.c; NBD: ../test-copy-nbd.sh.
 */
#include <config.h>

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "base/error.h"
#include "image/image.h"
#include "operations/copy-internal.h"

#include "copy-image.h"
#include "store-wrap.h"
#include "target.h"

#define MiB (1u << 20)
/* Several blocks of either size, and a last one that is not whole. */
#define BYTES (13 * MiB + 3 * 512)

/*----------------------------------------------------------------------
 * Content: data and zeros of all lengths, aligned and not
 *--------------------------------------------------------------------*/

static uint8_t content[BYTES];

/* Data in [from, end). */
static void
put_data (size_t from, size_t end)
{
  uint32_t x = from | 1;

  for (; from < end; from++) {
    x = x * 1664525 + 1013904223;
    content[from] = x >> 24 | 1;        /* not zero */
  }
}

static int
make_content (void **state)
{
  size_t i;

  put_data (0, 600);                    /* the first sectors */
  put_data (2 * MiB - 1, 2 * MiB + 1);  /* over the edge of two blocks */
  put_data (4 * MiB, 6 * MiB);          /* a whole block */
  for (i = 0; i < 100; i++)             /* many pieces */
    put_data (6 * MiB + i * 12288, 6 * MiB + i * 12288 + 40 * i);
  put_data (9 * MiB + 512, 9 * MiB + 1024);
  put_data (BYTES - 1, BYTES);          /* the very last byte */
  return make_temp_dir (state);
}

/* How many blocks of this size hold data. */
static uint64_t
blocks_with_data (uint32_t block_size)
{
  uint64_t n = 0;
  size_t at, i;

  for (at = 0; at < BYTES; at += block_size) {
    for (i = at; i < MIN_OF (at + block_size, (size_t) BYTES); i++)
      if (content[i])
        break;
    n += i < MIN_OF (at + block_size, (size_t) BYTES);
  }
  return n;
}

/*----------------------------------------------------------------------
 * Files
 *--------------------------------------------------------------------*/

/* temp_path, good until the end of the test. */
static const char *
path_of (const char *name)
{
  static char path[64][512];
  static unsigned next;
  char *p = path[next++ % 64];

  snprintf (p, sizeof path[0], "%s", temp_path (name));
  return p;
}

enum how { SPARSE, DENSE };

/* A raw file; sparse: with holes where 4 KiB are zero. */
static const char *
make_raw (const char *name, enum how how)
{
  const char *path = path_of (name);
  int fd = open (path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  size_t at, n;

  assert_true (fd >= 0);
  assert_int_equal (ftruncate (fd, BYTES), 0);
  for (at = 0; at < BYTES; at += n) {
    static const uint8_t zeros[4096];

    n = MIN_OF ((size_t) BYTES - at, sizeof zeros);
    if (how == DENSE || memcmp (content + at, zeros, n) != 0)
      assert_int_equal (pwrite (fd, content + at, n, at), n);
  }
  assert_int_equal (close (fd), 0);
  return path;
}

static vhdkit_disk *
open_disk (const char *path, uint32_t mask)
{
  vhdkit_disk *d;

  assert_ok (vhdkit_open (path, mask, 0, NULL, &d));
  return d;
}

static void
write_content (vhdkit_disk *d, size_t from, size_t end)
{
  for (; from < end; from += 512)
    if (content[from] || memcmp (content + from, content + from + 1, 511) != 0)
      assert_ok (vhdkit_pwrite (d, content + from, 512, from, 0));
}

/* A VHD that holds the content of [from, end) itself. */
static const char *
make_vhd (const char *name, enum vhdkit_disk_type type, const char *parent,
          size_t from, size_t end)
{
  const char *path = path_of (name);
  const struct vhdkit_create_options o = {
    .struct_size = sizeof o, .type = type, .size = parent ? 0 : BYTES,
    .parent = parent
  };
  vhdkit_disk *d;

  unlink (path);
  assert_ok (vhdkit_create_image (path, &o));
  d = open_disk (path, VHDKIT_ACCESS_ATTACH_RW);
  write_content (d, from, end);
  assert_ok (vhdkit_close (d));
  return path;
}

/* The disk reads as content, then zeros up to size. */
static void
assert_content (vhdkit_disk *d, uint64_t size)
{
  uint8_t *buf = malloc (size);
  uint64_t i;

  assert_non_null (buf);
  assert_int_equal (vhdkit_size (d), size);
  assert_ok (vhdkit_pread (d, buf, size, 0));
  assert_memory_equal (buf, content, BYTES);
  for (i = BYTES; i < size; i++)
    assert_int_equal (buf[i], 0);
  free (buf);
}

static const struct vhdkit_storage_type vhd_type = {
  .device_id = VHDKIT_DEVICE_VHD
};

static uint32_t host_flags;

/* vhdkit_create with a source; fixed or dynamic. */
static int
create (const char *name, enum vhdkit_disk_type type, const char *source,
        uint64_t size, vhdkit_disk **ret)
{
  const struct vhdkit_create_parameters p = {
    .struct_size = sizeof p, .version = 2, .storage_type = &vhd_type,
    .flags = type == VHDKIT_TYPE_FIXED ?
      VHDKIT_CREATE_FLAG_FULL_PHYSICAL_ALLOCATION : 0,
    .maximum_size = size, .source_path = source, .host_flags = host_flags
  };

  unlink (temp_path (name));
  return vhdkit_create (temp_path (name), &p, NULL, ret);
}

static void
assert_copies (const char *name, enum vhdkit_disk_type type,
               const char *source, uint64_t size)
{
  vhdkit_disk *d;

  assert_ok (create (name, type, source, size, &d));
  assert_content (d, size ? size : BYTES);
  assert_int_equal (vhdkit_layers (d), 1);
  assert_int_equal (vhdkit_layer (d, 0)->type, type);
  assert_ok (vhdkit_close (d));
  /* And as others see it. */
  d = open_disk (temp_path (name), VHDKIT_ACCESS_ATTACH_RO);
  assert_content (d, size ? size : BYTES);
  assert_ok (vhdkit_close (d));
}

/* "raw:PATH" */
static const char *
raw_name (const char *path)
{
  static char name[600];

  snprintf (name, sizeof name, "raw:%s", path);
  return name;
}

/*----------------------------------------------------------------------
 * Behaviours
 *--------------------------------------------------------------------*/

/* B-034: a fixed disk copied into a dynamic one has the same content */
static void
B_034_fixed_to_dynamic (void **state)
{
  (void) state;
  assert_copies ("to.vhd", VHDKIT_TYPE_DYNAMIC,
                 make_vhd ("from.vhd", VHDKIT_TYPE_FIXED, NULL, 0, BYTES), 0);
}

/* B-035: a dynamic disk copied into a fixed one has the same content */
static void
B_035_dynamic_to_fixed (void **state)
{
  (void) state;
  assert_copies ("to.vhd", VHDKIT_TYPE_FIXED,
                 make_vhd ("from.vhd", VHDKIT_TYPE_DYNAMIC, NULL, 0, BYTES),
                 0);
}

/* B-036: a differencing disk is copied as what its whole chain reads */
static void
B_036_chain_is_flattened (void **state)
{
  const char *base, *middle, *top;

  (void) state;
  base = make_vhd ("base.vhd", VHDKIT_TYPE_DYNAMIC, NULL, 0, 5 * MiB);
  middle = make_vhd ("middle.vhd", VHDKIT_TYPE_DIFFERENCING, base, 5 * MiB,
                     7 * MiB);
  top = make_vhd ("top.vhd", VHDKIT_TYPE_DIFFERENCING, middle, 7 * MiB, BYTES);
  assert_copies ("dynamic.vhd", VHDKIT_TYPE_DYNAMIC, top, 0);
  assert_copies ("fixed.vhd", VHDKIT_TYPE_FIXED, top, 0);
}

/* B-037: with a source and size 0 the new disk has the size of the source */
static void
B_037_size_of_the_source (void **state)
{
  const char *raw;
  vhdkit_disk *d;
  uint8_t tail[1024];
  size_t i;

  (void) state;
  assert_copies ("to.vhd", VHDKIT_TYPE_DYNAMIC,
                 make_vhd ("from.vhd", VHDKIT_TYPE_DYNAMIC, NULL, 0, BYTES),
                 0);

  /* Of a raw file that is not made of whole sectors: rounded up, and the rest
   * of the last sector is zeros. */
  raw = make_raw ("from.raw", SPARSE);
  assert_int_equal (truncate (raw, BYTES - 512 - 100), 0);
  assert_ok (create ("to.vhd", VHDKIT_TYPE_FIXED, raw_name (raw), 0, &d));
  assert_int_equal (vhdkit_size (d), BYTES - 512);
  assert_ok (vhdkit_pread (d, tail, sizeof tail, BYTES - 512 - sizeof tail));
  for (i = sizeof tail - 100; i < sizeof tail; i++)
    assert_int_equal (tail[i], 0);
  assert_ok (vhdkit_close (d));
}

/* B-038: a larger size gives a tail of zeros; a size smaller than the source
 * by one sector is INVALID_PARAMETER, and there is no file */
static void
B_038_other_sizes (void **state)
{
  const char *raw = make_raw ("from.raw", SPARSE);
  vhdkit_disk *d = NULL;

  (void) state;
  assert_copies ("to.vhd", VHDKIT_TYPE_DYNAMIC, raw_name (raw), BYTES + 512);
  assert_copies ("to.vhd", VHDKIT_TYPE_DYNAMIC, raw_name (raw), 40 * MiB);
  assert_copies ("to.vhd", VHDKIT_TYPE_FIXED, raw_name (raw), 40 * MiB);

  assert_int_equal (create ("small.vhd", VHDKIT_TYPE_DYNAMIC, raw_name (raw),
                            BYTES - 512, &d), -1);
  assert_last_error (VHDKIT_ERR_INVALID_PARAMETER, "too small", "from.raw");
  assert_null (d);
  assert_int_equal (access (temp_path ("small.vhd"), F_OK), -1);
}

static void
get_id (const char *path, uint8_t ret_id[16])
{
  vhdkit_disk *d = open_disk (path, VHDKIT_ACCESS_GET_INFO);

  assert_int_equal (vhdkit_layers (d), 1);
  memcpy (ret_id, vhdkit_layer (d, 0)->id, 16);
  assert_ok (vhdkit_close (d));
}

/* B-039: a copy has an id of its own and no parent */
static void
B_039_copy_stands_alone (void **state)
{
  const char *from = make_vhd ("from.vhd", VHDKIT_TYPE_DYNAMIC, NULL, 0,
                               BYTES);
  const char *child = make_vhd ("child.vhd", VHDKIT_TYPE_DIFFERENCING, from,
                                0, 512);
  uint8_t id[3][16];

  (void) state;
  assert_copies ("one.vhd", VHDKIT_TYPE_DYNAMIC, from, 0);
  assert_copies ("two.vhd", VHDKIT_TYPE_DYNAMIC, child, 0);
  get_id (from, id[0]);
  get_id (temp_path ("one.vhd"), id[1]);
  get_id (temp_path ("two.vhd"), id[2]);
  assert_memory_not_equal (id[0], id[1], 16);
  assert_memory_not_equal (id[0], id[2], 16);
  assert_memory_not_equal (id[1], id[2], 16);
}

static void
assert_untouched (const char *source, const char *path)
{
  struct stat before, after;
  size_t n, m;
  void *old, *new;
  FILE *f;

  assert_int_equal (stat (path, &before), 0);
  n = before.st_size;
  old = malloc (n);
  new = malloc (n);
  f = fopen (path, "r");
  assert_int_equal (fread (old, 1, n, f), n);
  fclose (f);
  assert_int_equal (stat (path, &before), 0);

  assert_copies ("to.vhd", VHDKIT_TYPE_DYNAMIC, source, 0);

  assert_int_equal (stat (path, &after), 0);
  assert_memory_equal (&before.st_mtim, &after.st_mtim, sizeof before.st_mtim);
  assert_memory_equal (&before.st_ctim, &after.st_ctim, sizeof before.st_ctim);
  assert_int_equal (before.st_size, after.st_size);
  f = fopen (path, "r");
  m = fread (new, 1, n, f);
  fclose (f);
  assert_int_equal (m, n);
  assert_memory_equal (old, new, n);
  free (old);
  free (new);
}

/* B-040: the source is not modified, neither its bytes nor its times */
static void
B_040_source_is_untouched (void **state)
{
  const char *raw = make_raw ("from.raw", SPARSE), *base, *top;

  (void) state;
  assert_untouched (raw_name (raw), raw);
  base = make_vhd ("base.vhd", VHDKIT_TYPE_DYNAMIC, NULL, 0, 5 * MiB);
  top = make_vhd ("top.vhd", VHDKIT_TYPE_DIFFERENCING, base, 5 * MiB, BYTES);
  assert_untouched (top, top);
  assert_untouched (top, base);
}

static void
assert_allocates (const char *source, uint64_t blocks)
{
  vhdkit_disk *d;

  assert_copies ("to.vhd", VHDKIT_TYPE_DYNAMIC, source, 0);
  d = open_disk (temp_path ("to.vhd"), VHDKIT_ACCESS_GET_INFO);
  assert_int_equal (vhdkit_layer (d, 0)->blocks_allocated, blocks);
  assert_true (vhdkit_layer (d, 0)->data_aligned);
  assert_ok (vhdkit_close (d));
}

/* B-041: blocks of the source that read as zeros take no space in a dynamic
 * copy, whether they are holes or written */
static void
B_041_zero_blocks_take_no_space (void **state)
{
  const uint64_t blocks = blocks_with_data (2 * MiB);
  struct stat st;

  (void) state;
  assert_in_range (blocks, 2, BYTES / (2 * MiB));
  assert_allocates (raw_name (make_raw ("sparse.raw", SPARSE)), blocks);
  assert_allocates (raw_name (make_raw ("dense.raw", DENSE)), blocks);
  assert_allocates (make_vhd ("fixed.vhd", VHDKIT_TYPE_FIXED, NULL, 0, BYTES),
                    blocks);
  /* Nor do zeros within a block. */
  assert_int_equal (stat (temp_path ("to.vhd"), &st), 0);
  assert_in_range (st.st_blocks * 512, 2 * MiB, 4 * MiB + 512 * 1024);
}

/* B-042: a raw file is copied sector for sector, if it is named as one */
static void
B_042_raw_file (void **state)
{
  const char *raw = make_raw ("from.raw", DENSE);
  vhdkit_disk *d;

  (void) state;
  assert_copies ("dynamic.vhd", VHDKIT_TYPE_DYNAMIC, raw_name (raw), 0);
  assert_copies ("fixed.vhd", VHDKIT_TYPE_FIXED, raw_name (raw), 0);
  assert_int_equal (create ("to.vhd", VHDKIT_TYPE_FIXED, raw, 0, &d), -1);
  assert_last_error (VHDKIT_ERR_FORMAT_UNKNOWN, "from.raw");
  assert_int_equal (access (temp_path ("to.vhd"), F_OK), -1);
}

/* B-043: a VHD source is only read-locked: others may read it meanwhile, and
 * one that is open for writing is refused; so is a raw file */
static void
B_043_vhd_source_is_read_locked (void **state)
{
  const char *from = make_vhd ("from.vhd", VHDKIT_TYPE_DYNAMIC, NULL, 0,
                               BYTES);
  const char *raw = make_raw ("from.raw", SPARSE);
  struct copy_source *s;
  struct store *writer;
  vhdkit_disk *d;

  (void) state;
  d = open_disk (from, VHDKIT_ACCESS_ATTACH_RO);
  assert_copies ("to.vhd", VHDKIT_TYPE_DYNAMIC, from, 0);
  assert_ok (vhdkit_close (d));

  assert_ok (copy_source_open (from, 0, NULL, NULL, &s));
  assert_int_equal (vhdkit_open (from, VHDKIT_ACCESS_ATTACH_RW, 0, NULL, &d),
                    -1);
  assert_last_error (VHDKIT_ERR_SHARING_VIOLATION, "from.vhd");
  copy_source_close (s);
  d = open_disk (from, VHDKIT_ACCESS_ATTACH_RW);
  assert_int_equal (copy_source_open (from, 0, NULL, NULL, &s), -1);
  assert_last_error (VHDKIT_ERR_SHARING_VIOLATION, "from.vhd");
  assert_ok (vhdkit_close (d));

  writer = store_open_file (AT_FDCWD, raw, true, false);
  assert_ok (store_lock (writer, STORE_LOCK_WRITE));
  assert_int_equal (copy_source_open (raw_name (raw), 0, NULL, NULL, &s), -1);
  assert_last_error (VHDKIT_ERR_SHARING_VIOLATION, "from.raw");
  assert_ok (store_close (writer));
}

/*----------------------------------------------------------------------
 * The copy itself
 *--------------------------------------------------------------------*/

/* A source that is the content in memory; behind calls that may fail. */
static struct copy_source *
memory_source (struct fault *fault)
{
  struct copy_source *s = calloc (1, sizeof *s);
  size_t at;

  assert_non_null (s);
  s->kind = COPY_FROM_RAW;
  s->name = strdup ("source");
  s->claim = -1;
  s->bytes = s->size = BYTES;
  s->store = store_open_memory ("source");
  assert_non_null (s->store);
  assert_ok (store_truncate (s->store, BYTES));
  for (at = 0; at < BYTES; at += 512)
    if (content[at] || memcmp (content + at, content + at + 1, 511) != 0)
      assert_ok (store_pwrite (s->store, content + at, 512, at));
  if (fault)
    s->store = fault_open (s->store, fault);
  return s;
}

/* The image in store reads as the content; and closes it. */
static void
assert_image (struct store *store, uint32_t block_size)
{
  const struct image_options o = { .cache_bytes = MiB };
  uint8_t *buf = malloc (BYTES);
  uint32_t entry, last = 0, block;
  struct image *i;

  assert_ok (image_open (store, &o, &i));
  assert_int_equal (image_size (i), BYTES);
  assert_ok (image_pread (i, buf, BYTES, 0));
  assert_memory_equal (buf, content, BYTES);
  free (buf);
  if (block_size) {
    assert_int_equal (image_blocks_allocated (i),
                      blocks_with_data (block_size));
    assert_true (image_data_aligned (i));
    /* In the order of the disk. */
    for (block = 0; block < image_table_entries (i); block++) {
      entry = image_table_entry (i, block);
      if (entry == VHD_BAT_UNUSED)
        continue;
      assert_true (entry > last);
      last = entry;
    }
  }
  assert_ok (image_close (i));
}

static void
every_block_size (void **state)
{
  uint32_t block_size;

  (void) state;
  for (block_size = 4096; block_size <= 16 * MiB; block_size *= 2) {
    struct copy_source *s = memory_source (NULL);
    struct store *to = store_open_memory ("target");
    uint64_t blocks;

    assert_ok (copy_image (s, to, block_size, 0, NULL, &blocks));
    assert_int_equal (blocks, blocks_with_data (block_size));
    copy_source_close (s);
    assert_image (to, block_size);
  }
}

static void
fixed_in_memory (void **state)
{
  struct copy_source *s = memory_source (NULL);
  struct store *to = store_open_memory ("target");

  (void) state;
  assert_ok (copy_image (s, to, 0, 0, NULL, NULL));
  copy_source_close (s);
  assert_image (to, 0);
}

/* What was left by a copy that failed is not an image; or it lacks but the
 * trailing footer, and is right. */
static void
assert_no_wrong_image (struct store *store, uint32_t block_size)
{
  const struct image_options o = { .cache_bytes = MiB };
  struct store *look = wrap_keep (store);
  struct image *i;

  if (image_open (look, &o, &i) == 0) {
    assert_true (image_footer_missing (i));
    assert_ok (image_close (i));
    assert_image (store, block_size);
    return;
  }
  assert_ok (store_close (look));
  assert_ok (store_close (store));
}

/* The n-th call fails, for every n. */
static void
with_faults (uint32_t block_size, bool in_source, uint32_t kinds, int err,
             enum vhdkit_error code)
{
  uint64_t n;
  bool hit = true;

  for (n = 1; hit; n++) {
    struct fault f = {
      .kinds = kinds, .fail_at = n, .err = err, .for_good = err == ENOSPC
    };
    struct copy_source *s = memory_source (in_source ? &f : NULL);
    struct store *memory = store_open_memory ("target");
    struct store *to = wrap_keep (memory);

    if (!in_source)
      to = fault_open (to, &f);
    if (copy_image (s, to, block_size, 0, NULL, NULL) == -1) {
      assert_true (f.hit);
      assert_last_error (code, in_source ? "source" : "target");
      assert_no_wrong_image (memory, block_size);
    }
    else
      assert_image (memory, block_size);
    hit = f.hit;
    f.fail_at = 0;
    copy_source_close (s);
    assert_ok (store_close (to));
  }
  assert_true (n > 5);
}

static void
disk_full_at_every_step (void **state)
{
  (void) state;
  with_faults (512 << 10, false, CALLS_CHANGING, ENOSPC, VHDKIT_ERR_DISK_FULL);
  with_faults (0, false, CALLS_CHANGING, ENOSPC, VHDKIT_ERR_DISK_FULL);
}

static void
read_error_at_every_step (void **state)
{
  (void) state;
  with_faults (2 * MiB, true, CALL_READ | CALL_NEXT_EXTENT, EIO,
               VHDKIT_ERR_IO);
  with_faults (0, true, CALL_READ | CALL_NEXT_EXTENT, EIO, VHDKIT_ERR_IO);
}

/* As a library might that reads for us: once, in the middle. */
static int
end_the_thread (struct wrap *w, const struct call *c)
{
  _Atomic bool *was = w->opaque;

  if (c->kind == CALL_READ && c->offset >= 4 * MiB && !*was) {
    *was = true;
    pthread_exit (NULL);
  }
  return 0;
}

static void
a_thread_that_dies_ends_the_copy (void **state)
{
  const struct wrap_hooks hooks = { .before = end_the_thread };
  const uint32_t block_sizes[] = { 0, 2 * MiB };
  unsigned i;

  (void) state;
  for (i = 0; i < 2; i++) {
    struct copy_source *s = memory_source (NULL);
    struct store *to = store_open_memory ("target");
    _Atomic bool was = false;

    s->store = wrap_open (s->store, &hooks, (void *) &was);
    assert_int_equal (copy_image (s, to, block_sizes[i], 0, NULL, NULL), -1);
    assert_last_error (VHDKIT_ERR_UNEXPECTED, "thread");
    copy_source_close (s);
    assert_no_wrong_image (to, block_sizes[i]);
  }
}

/* Progress that looks at itself and cancels at a percentage. */
struct watch {
  pthread_t thread;
  unsigned percent;             /* 101: never */
  uint64_t last, calls;
  bool cancelled;
};

static int
on_progress (void *opaque, uint64_t done, uint64_t total)
{
  struct watch *w = opaque;

  assert_true (pthread_equal (pthread_self (), w->thread));
  assert_false (w->cancelled);          /* not asked again */
  assert_int_equal (total, BYTES);
  assert_in_range (done, w->last, total);
  w->last = done;
  w->calls++;
  w->cancelled = done >= total / 100 * w->percent + total % 100;
  return w->cancelled && w->percent <= 100;
}

static void
cancel_at_every_percent (void **state)
{
  unsigned percent;

  (void) state;
  for (percent = 0; percent <= 100; percent++) {
    struct watch w = { .thread = pthread_self (), .percent = percent };
    const struct progress p = { .fn = on_progress, .opaque = &w };
    struct copy_source *s = memory_source (NULL);
    struct store *memory = store_open_memory ("target");
    struct store *to = wrap_keep (memory);

    const uint32_t block_size = percent % 2 ? 512 << 10 : 0;

    assert_int_equal (copy_image (s, to, block_size, 0, &p, NULL), -1);
    assert_last_error (VHDKIT_ERR_CANCELLED, "cancelled");
    copy_source_close (s);
    assert_ok (store_close (to));
    assert_no_wrong_image (memory, block_size);
  }
}

static void
progress_ends_at_the_size (void **state)
{
  struct watch w = { .thread = pthread_self (), .percent = 101 };
  const struct progress p = { .fn = on_progress, .opaque = &w };
  struct copy_source *s = memory_source (NULL);
  struct store *to = store_open_memory ("target");

  (void) state;
  assert_ok (copy_image (s, to, 512 << 10, 0, &p, NULL));
  assert_int_equal (w.last, BYTES);
  assert_true (w.calls >= 2);
  copy_source_close (s);
  assert_ok (store_close (to));
}

struct gated_copy {
  struct copy_source *source;
  struct store *to;
  struct watch watch;
};

static void *
copy_in_thread (void *opaque)
{
  struct gated_copy *g = opaque;
  const struct progress p = { .fn = on_progress, .opaque = &g->watch };

  g->watch.thread = pthread_self ();
  copy_image (g->source, g->to, 512 << 10, 0, &p, NULL);
  return NULL;
}

/* Who ends the thread that waits for a copy, waits for the copy: its threads
 * use what that one has on its stack. */
static void
thread_ends_after_its_copy (void **state)
{
  struct gated_copy g = { .watch = { .percent = 101 } };
  struct gate gate, *const gates = &gate;
  pthread_t thread;

  (void) state;
  gate_init (&gate);
  g.source = memory_source (NULL);
  g.source->store = slow_open (g.source->store, &gates, 1);
  g.to = store_open_memory ("target");
  gate_shut (&gate, GATE_BEFORE, CALL_READ, 0, UINT64_MAX);
  assert_int_equal (pthread_create (&thread, NULL, copy_in_thread, &g), 0);
  assert_true (gate_await (&gate, 1));
  assert_int_equal (pthread_cancel (thread), 0);
  gate_open (&gate);
  assert_int_equal (pthread_join (thread, NULL), 0);
  assert_int_equal (g.watch.last, BYTES);
  copy_source_close (g.source);
  assert_ok (store_close (g.to));
  gate_destroy (&gate);
}

static void
nothing_but_holes (void **state)
{
  const char *path = temp_path ("empty.raw");
  struct store *to = store_open_memory ("target");
  struct copy_source *s;
  uint64_t blocks;
  int fd = open (path, O_RDWR | O_CREAT | O_TRUNC, 0600);

  (void) state;
  assert_int_equal (ftruncate (fd, VHD_MAX_SIZE), 0);
  assert_int_equal (close (fd), 0);
  assert_ok (copy_source_open (raw_name (path), 0, NULL, NULL, &s));
  assert_ok (copy_image (s, to, 2 * MiB, 0, NULL, &blocks));
  assert_int_equal (blocks, 0);
  copy_source_close (s);
  assert_ok (store_close (to));

  /* Or too much. */
  assert_int_equal (truncate (path, VHD_MAX_SIZE + 1), 0);
  assert_ok (copy_source_open (raw_name (path), 0, NULL, NULL, &s));
  assert_int_equal (copy_new_size (s, 0, "new", &blocks), -1);
  assert_last_error (VHDKIT_ERR_SIZE_TOO_LARGE, "2040 GiB");
  copy_source_close (s);
}

/* What has no bytes has no size to take over; with one given it is all tail. */
static void
an_empty_source_needs_a_size (void **state)
{
  const char *path = temp_path ("none.raw");
  const uint32_t block_sizes[] = { 0, 2 * MiB };
  struct copy_source *s;
  struct store *to;
  uint64_t blocks = 0, bytes;
  size_t i;
  int fd = open (path, O_RDWR | O_CREAT | O_TRUNC, 0600);

  (void) state;
  assert_int_equal (close (fd), 0);
  assert_ok (copy_source_open (raw_name (path), 0, NULL, NULL, &s));
  assert_int_equal (copy_new_size (s, 0, "new", &bytes), -1);
  assert_last_error (VHDKIT_ERR_SIZE_TOO_SMALL, "empty: give a size");
  for (i = 0; i < 2; i++) {
    to = store_open_memory ("target");
    assert_ok (copy_image (s, to, block_sizes[i], 4 * MiB, NULL, &blocks));
    assert_int_equal (blocks, 0);
    assert_ok (store_size (to, &bytes));
    if (block_sizes[i] == 0)
      assert_int_equal (bytes, 4 * MiB + 512);
    assert_ok (store_close (to));
  }
  copy_source_close (s);
}

/* A VHD whose blocks do not begin at multiples of 4 KiB, as other programs
 * make them. */
static void
make_packed (const char *name)
{
  struct image_shape shape = {
    .type = VHD_DYNAMIC, .size = BYTES, .block_size = 2 * MiB, .packed = true
  };
  struct store *s;
  vhdkit_disk *d;

  unlink (path_of (name));
  s = store_create_file (path_of (name), 0600);
  assert_non_null (s);
  format_image (s, &shape);
  assert_ok (store_close (s));
  d = open_disk (path_of (name), VHDKIT_ACCESS_ATTACH_RW);
  write_content (d, 0, BYTES);
  assert_ok (vhdkit_close (d));
}

/* Nothing of it in the page cache. */
static void
drop_cache (const char *path)
{
  int fd = open (path, O_RDONLY);

  assert_int_equal (fsync (fd), 0);
  assert_int_equal (posix_fadvise (fd, 0, 0, POSIX_FADV_DONTNEED), 0);
  assert_int_equal (close (fd), 0);
}

/* How many pages of it are in the page cache. */
static size_t
cached_pages (const char *path)
{
  const size_t page = sysconf (_SC_PAGESIZE), pages = BYTES / page;
  unsigned char resident[BYTES / 4096 + 1];
  size_t n = 0, i;
  int fd = open (path, O_RDONLY);
  void *p = mmap (NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);

  assert_true (p != MAP_FAILED);
  assert_int_equal (mincore (p, BYTES, resident), 0);
  for (i = 0; i < pages; i++)
    n += resident[i] & 1;
  assert_int_equal (munmap (p, BYTES), 0);
  assert_int_equal (close (fd), 0);
  return n;
}

static bool
can_be_read_directly (const char *path)
{
  int fd = open (path, O_RDONLY | O_DIRECT);
  void *p = aligned_alloc (4096, 4096);
  bool ok = fd != -1 && pread (fd, p, 512, 512) == 512;

  free (p);
  if (fd != -1)
    close (fd);
  return ok;
}

/* A source that is not in the page cache is read once, past it: whoever asks
 * what is there must not have the system read it as well. */
static void
cold_source_is_read_once (void **state)
{
  const char *raw = make_raw ("from.raw", DENSE);
  size_t before;

  (void) state;
  drop_cache (raw);
  before = cached_pages (raw);
  if (before > 0 || !can_be_read_directly (raw)) {
    print_message ("skipped: this file system has no way past the cache\n");
    skip ();
  }
  assert_copies ("to.vhd", VHDKIT_TYPE_DYNAMIC, raw_name (raw), 0);
  assert_true (cached_pages (raw) < 256);       /* of some 3300 */
}

/* What is not in the page cache is read past it, and what is large written
 * past it; wherever the blocks of the source lie. */
static void
cold_sources (void **state)
{
  const char *raw = make_raw ("from.raw", DENSE), *base, *top;
  char byte;
  int fd;

  (void) state;
  drop_cache (raw);
  assert_copies ("to.vhd", VHDKIT_TYPE_DYNAMIC, raw_name (raw), 0);
  drop_cache (raw);
  /* Part of it is there. */
  fd = open (raw, O_RDONLY);
  assert_int_equal (posix_fadvise (fd, 0, 0, POSIX_FADV_RANDOM), 0);
  assert_int_equal (pread (fd, &byte, 1, 4 * MiB), 1);
  assert_int_equal (pread (fd, &byte, 1, 5 * MiB), 1);
  assert_int_equal (close (fd), 0);
  assert_copies ("to.vhd", VHDKIT_TYPE_FIXED, raw_name (raw), 0);

  base = make_vhd ("base.vhd", VHDKIT_TYPE_DYNAMIC, NULL, 0, 5 * MiB);
  top = make_vhd ("top.vhd", VHDKIT_TYPE_DIFFERENCING, base, 5 * MiB, BYTES);
  drop_cache (base);
  drop_cache (top);
  assert_copies ("to.vhd", VHDKIT_TYPE_DYNAMIC, top, 0);
  make_packed ("packed.vhd");
  drop_cache (path_of ("packed.vhd"));
  assert_copies ("to.vhd", VHDKIT_TYPE_DYNAMIC, path_of ("packed.vhd"), 0);
}

/* Through the page cache, without waiting for the disk. */
static void
not_synced (void **state)
{
  const char *raw = make_raw ("from.raw", SPARSE);

  (void) state;
  host_flags = VHDKIT_HOST_NO_SYNC;
  assert_copies ("dynamic.vhd", VHDKIT_TYPE_DYNAMIC, raw_name (raw), 0);
  assert_copies ("fixed.vhd", VHDKIT_TYPE_FIXED, path_of ("dynamic.vhd"), 0);
  host_flags = 0;
}

static void
sources_that_are_none (void **state)
{
  static const struct {
    const char *name;
    enum vhdkit_error code;
  } t[] = {
    { "raw:/nonexistent/file", VHDKIT_ERR_FILE_NOT_FOUND },
    { "/nonexistent/file", VHDKIT_ERR_FILE_NOT_FOUND },
    { "raw:/", VHDKIT_ERR_NOT_VIRTUAL_DISK },
    { "/dev/null", VHDKIT_ERR_NOT_VIRTUAL_DISK },
    { "raw:/dev/zero", VHDKIT_ERR_NOT_VIRTUAL_DISK },
    { "raw:", VHDKIT_ERR_FILE_NOT_FOUND },
  };
  struct copy_source *s = NULL;
  size_t i;

  (void) state;
  for (i = 0; i < sizeof t / sizeof t[0]; i++) {
    assert_int_equal (copy_source_open (t[i].name, 0, NULL, NULL, &s), -1);
    assert_last_error (t[i].code, "");
    assert_null (s);
  }
  copy_source_close (NULL);
}

static void
runs_of_a_unit (void **state)
{
  struct unit u = { .length = UNIT_BYTES };
  unsigned from, end;

  (void) state;
  assert_false (unit_run (&u, 0, GRANULES, 4, &from, &end));
  unit_set (&u, 0, 2);
  unit_set (&u, 6, 70);
  unit_set (&u, 511, 512);
  assert_true (unit_run (&u, 0, GRANULES, 0, &from, &end));
  assert_true (from == 0 && end == 2);
  assert_true (unit_run (&u, 2, GRANULES, 0, &from, &end));
  assert_true (from == 6 && end == 70);
  assert_true (unit_run (&u, 0, GRANULES, 4, &from, &end));
  assert_true (from == 0 && end == 70);
  assert_true (unit_run (&u, 65, GRANULES, 3, &from, &end));
  assert_true (from == 65 && end == 70);
  assert_true (unit_run (&u, 70, GRANULES, 0, &from, &end));
  assert_true (from == 511 && end == 512);
  assert_true (unit_run (&u, 0, 4, 4, &from, &end));
  assert_true (from == 0 && end == 2);
  assert_false (unit_any (&u, 2, 6));
  assert_true (unit_any (&u, 2, 7));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (B_034_fixed_to_dynamic),
    cmocka_unit_test (B_035_dynamic_to_fixed),
    cmocka_unit_test (B_036_chain_is_flattened),
    cmocka_unit_test (B_037_size_of_the_source),
    cmocka_unit_test (B_038_other_sizes),
    cmocka_unit_test (B_039_copy_stands_alone),
    cmocka_unit_test (B_040_source_is_untouched),
    cmocka_unit_test (B_041_zero_blocks_take_no_space),
    cmocka_unit_test (B_042_raw_file),
    cmocka_unit_test (B_043_vhd_source_is_read_locked),
    cmocka_unit_test (every_block_size),
    cmocka_unit_test (fixed_in_memory),
    cmocka_unit_test (disk_full_at_every_step),
    cmocka_unit_test (read_error_at_every_step),
    cmocka_unit_test (a_thread_that_dies_ends_the_copy),
    cmocka_unit_test (cancel_at_every_percent),
    cmocka_unit_test (progress_ends_at_the_size),
    cmocka_unit_test (thread_ends_after_its_copy),
    cmocka_unit_test (nothing_but_holes),
    cmocka_unit_test (an_empty_source_needs_a_size),
    cmocka_unit_test (cold_source_is_read_once),
    cmocka_unit_test (cold_sources),
    cmocka_unit_test (not_synced),
    cmocka_unit_test (sources_that_are_none),
    cmocka_unit_test (runs_of_a_unit),
  };

  return cmocka_run_group_tests (tests, make_content, remove_temp_dir);
}
