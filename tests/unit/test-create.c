/* vhdkit tests: creating images.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The expected bytes are those of real images (vhd-format 1.2, 2.1, 10.4),
 * written out here, not computed by the code that is tested.
 */
#include <config.h>

#include "unit.h"
#include "refuse-openat.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "format/vhd.h"
#include "operations/create.h"
#include "operations/operations.h"

#define KiB UINT64_C (1024)
#define MiB (1024 * KiB)
#define GiB (1024 * MiB)
#define MAX_SIZE (2040 * GiB)

/*----------------------------------------------------------------------
 * System calls that fail when told to.  The program's own functions go before
 * those of the C library.
 *--------------------------------------------------------------------*/

static unsigned fail_at;        /* the n-th call below fails; 0: none */
static unsigned calls;

static bool
fails (int err)
{
  if (fail_at == 0 || ++calls != fail_at)
    return false;
  errno = err;
  return true;
}

ssize_t
pwrite (int fd, const void *buf, size_t count, off_t offset)
{
  return fails (ENOSPC) ? -1
    : syscall (SYS_pwrite64, fd, buf, count, offset);
}

int
fsync (int fd)
{
  return fails (EIO) ? -1 : syscall (SYS_fsync, fd);
}

int
ftruncate (int fd, off_t size)
{
  return fails (ENOSPC) ? -1 : syscall (SYS_ftruncate, fd, size);
}

int
fallocate (int fd, int mode, off_t offset, off_t length)
{
  return fails (ENOSPC) ? -1
    : syscall (SYS_fallocate, fd, mode, offset, length);
}

int
linkat (int from, const char *old, int to, const char *name, int flags)
{
  return fails (EACCES) ? -1
    : syscall (SYS_linkat, from, old, to, name, flags);
}

/*----------------------------------------------------------------------
 * Helpers
 *--------------------------------------------------------------------*/

static struct vhdkit_create_options
options (enum vhdkit_disk_type type, uint64_t size)
{
  return (struct vhdkit_create_options) {
    .struct_size = sizeof (struct vhdkit_create_options),
    .type = type, .size = size,
  };
}

static void
create (const char *name, enum vhdkit_disk_type type, uint64_t size)
{
  struct vhdkit_create_options o = options (type, size);

  unlink (temp_path (name));
  assert_ok (vhdkit_create_image (temp_path (name), &o));
}

/* For options, which live longer than what temp_path returns. */
static void
set_parent (struct vhdkit_create_options *o, const char *name)
{
  static char path[512];

  snprintf (path, sizeof path, "%s", temp_path (name));
  o->parent = path;
}

static void
create_child (const char *name, const char *parent)
{
  struct vhdkit_create_options o = options (VHDKIT_TYPE_DIFFERENCING, 0);

  set_parent (&o, parent);
  unlink (temp_path (name));
  assert_ok (vhdkit_create_image (temp_path (name), &o));
}

static uint64_t
file_length (const char *name)
{
  struct stat st;

  assert_int_equal (stat (temp_path (name), &st), 0);
  return st.st_size;
}

static void
read_at (const char *name, uint64_t offset, void *buf, size_t count)
{
  int fd = open (temp_path (name), O_RDONLY);

  assert_true (fd >= 0);
  assert_int_equal (pread (fd, buf, count, offset), count);
  close (fd);
}

static void
write_at (const char *name, uint64_t offset, const void *buf, size_t count)
{
  int fd = open (temp_path (name), O_WRONLY | O_CREAT, 0666);

  assert_true (fd >= 0);
  assert_int_equal (syscall (SYS_pwrite64, fd, buf, count, offset), count);
  close (fd);
}

static void
assert_filled (const char *name, uint64_t start, uint64_t end, int value)
{
  uint8_t *buf = malloc (end - start), *same = malloc (end - start);

  assert_non_null (buf);
  assert_non_null (same);
  read_at (name, start, buf, end - start);
  memset (same, value, end - start);
  assert_memory_equal (buf, same, end - start);
  free (buf);
  free (same);
}

static struct vhd_footer
footer_at (const char *name, uint64_t offset)
{
  struct vhd_footer_disk d;
  struct vhd_footer f;

  read_at (name, offset, &d, sizeof d);
  assert_int_equal (vhd_footer_decode (&d, &f), VHD_FOOTER_VALID);
  return f;
}

static void
assert_absent (const char *name)
{
  struct stat st;

  assert_int_equal (lstat (temp_path (name), &st), -1);
  assert_int_equal (errno, ENOENT);
}

static void
assert_refused (const char *name, const struct vhdkit_create_options *o,
                enum vhdkit_error code)
{
  assert_int_equal (vhdkit_create_image (temp_path (name), o), -1);
  assert_last_error (code, "");
  assert_absent (name);
}

/*----------------------------------------------------------------------
 * Layout
 *--------------------------------------------------------------------*/

static void
assert_dynamic_layout (const char *name, uint64_t table_end,
                       uint64_t padded_end, uint64_t footer)
{
  uint8_t front[512], end[512];

  assert_int_equal (file_length (name), footer + 512);
  read_at (name, 0, front, 512);
  read_at (name, footer, end, 512);
  assert_memory_equal (front, end, 512);
  assert_filled (name, 0x600, table_end, 0xff);
  assert_filled (name, table_end, padded_end, 0xff);
  assert_filled (name, padded_end, footer, 0);
}

/* A Windows 8.1 image of 1 GiB: 8192 bytes. */
static void
dynamic_1_GiB_is_laid_out_as_windows_does (void **state)
{
  uint8_t h[1024];
  struct vhd_footer f;

  (void) state;
  create ("d", VHDKIT_TYPE_DYNAMIC, GiB);
  assert_dynamic_layout ("d", 0xe00, 0x1000, 0x1e00);
  f = footer_at ("d", 0);
  assert_int_equal (f.features, 2);
  assert_int_equal (f.data_offset, 0x200);
  assert_int_equal (f.type, 3);
  assert_int_equal (f.cylinders, 2080);
  assert_int_equal (f.heads, 16);
  assert_int_equal (f.sectors, 63);
  assert_int_equal (f.current_size, GiB);
  assert_int_equal (f.original_size, GiB);
  assert_memory_equal (f.creator, "win ", 4);
  assert_memory_equal (f.creator_os, "Wi2k", 4);

  read_at ("d", 0x200, h, sizeof h);
  assert_memory_equal (h, "cxsparse\xff\xff\xff\xff\xff\xff\xff\xff"
                       "\0\0\0\0\0\0\x06\0\0\1\0\0\0\0\2\0\0\x20\0\0"
                       "\xff\xff\xf4\x75", 40);
  assert_filled ("d", 0x200 + 40, 0x600, 0);
}

/* Hyper-V 2012 R2, 127 GiB: 266240 bytes. */
static void
dynamic_127_GiB_is_laid_out_as_hyper_v_does (void **state)
{
  (void) state;
  create ("d", VHDKIT_TYPE_DYNAMIC, 127 * GiB);
  assert_dynamic_layout ("d", 0x3fe00, 0x40000, 0x40e00);
  assert_int_equal (footer_at ("d", 0).cylinders, 65278);
}

/* A table that ends exactly on a page boundary. */
static void
a_full_page_of_table_needs_no_padding (void **state)
{
  (void) state;
  create ("d", VHDKIT_TYPE_DYNAMIC, 640 * 2 * MiB);
  assert_dynamic_layout ("d", 0x1000, 0x1000, 0x1e00);
}

static void
a_last_block_in_part_has_an_entry (void **state)
{
  uint8_t entries[4];

  (void) state;
  create ("d", VHDKIT_TYPE_DYNAMIC, 5 * MiB);
  read_at ("d", 0x21c, entries, 4);
  assert_memory_equal (entries, "\0\0\0\3", 4);
}

static void
block_size_512_KiB (void **state)
{
  struct vhdkit_create_options o = options (VHDKIT_TYPE_DYNAMIC, GiB);
  uint8_t h[8];

  (void) state;
  o.block_size = 512 * KiB;
  unlink (temp_path ("d"));
  assert_ok (vhdkit_create_image (temp_path ("d"), &o));
  read_at ("d", 0x21c, h, 8);
  assert_memory_equal (h, "\0\0\x08\0\0\x08\0\0", 8);
  assert_dynamic_layout ("d", 0x600 + 2048 * 4, 0x3000, 0x3e00);
}

/* Windows 10, 10 MiB: 10486272 bytes. */
static void
fixed_10_MiB_is_laid_out_as_windows_does (void **state)
{
  struct vhd_footer f;

  (void) state;
  create ("f", VHDKIT_TYPE_FIXED, 10 * MiB);
  assert_int_equal (file_length ("f"), 10486272);
  assert_filled ("f", 0, 10 * MiB, 0);
  f = footer_at ("f", 10 * MiB);
  assert_int_equal (f.type, 2);
  assert_true (f.data_offset == UINT64_MAX);
  assert_int_equal (f.cylinders, 301);
  assert_int_equal (f.heads, 4);
  assert_int_equal (f.sectors, 17);
}

static uint64_t
allocated (const char *name)
{
  struct stat st;

  assert_int_equal (stat (temp_path (name), &st), 0);
  return (uint64_t) st.st_blocks * 512;
}

static void
fixed_takes_its_space_unless_sparse (void **state)
{
  struct vhdkit_create_options o = options (VHDKIT_TYPE_FIXED, 16 * MiB);

  (void) state;
  unlink (temp_path ("f"));
  o.flags = VHDKIT_CREATE_SPARSE;
  assert_ok (vhdkit_create_image (temp_path ("f"), &o));
  assert_true (allocated ("f") < MiB);
  unlink (temp_path ("f"));
  o.flags = VHDKIT_CREATE_PREALLOCATE;
  assert_ok (vhdkit_create_image (temp_path ("f"), &o));
  assert_true (allocated ("f") >= 16 * MiB);
}

static void
id_and_creator_are_taken_from_the_caller (void **state)
{
  struct vhdkit_create_options o = options (VHDKIT_TYPE_DYNAMIC, 4 * MiB);
  struct vhd_footer f;

  (void) state;
  unlink (temp_path ("d"));
  memcpy (o.id, "0123456789abcdef", 16);
  o.creator = "vhdk";
  assert_ok (vhdkit_create_image (temp_path ("d"), &o));
  f = footer_at ("d", 0);
  assert_memory_equal (f.id, "0123456789abcdef", 16);
  assert_memory_equal (f.creator, "vhdk", 4);
}

/* Version 4, in Windows memory order: the version is in byte 7. */
static void
ids_are_random_by_default (void **state)
{
  struct vhd_footer a, b;

  (void) state;
  create ("a", VHDKIT_TYPE_DYNAMIC, 4 * MiB);
  create ("b", VHDKIT_TYPE_DYNAMIC, 4 * MiB);
  a = footer_at ("a", 0);
  b = footer_at ("b", 0);
  assert_memory_not_equal (a.id, b.id, 16);
  assert_int_equal (a.id[7] >> 4, 4);
  assert_true (time (NULL) - VHD_EPOCH - a.timestamp < 60);
}

/*----------------------------------------------------------------------
 * Children
 *--------------------------------------------------------------------*/

static void
assert_utf16le (const char *name, uint64_t offset, uint32_t length,
                const char *text)
{
  uint8_t *buf = malloc (length);
  size_t i;

  assert_non_null (buf);
  assert_int_equal (length, 2 * strlen (text));
  read_at (name, offset, buf, length);
  for (i = 0; text[i]; i++)
    assert_true (buf[2 * i] == (uint8_t) text[i] && buf[2 * i + 1] == 0);
  free (buf);
}

static struct vhd_header
header_of (const char *name)
{
  struct vhd_footer f = footer_at (name, 0);
  struct vhd_header_disk d;
  struct vhd_header h;

  read_at (name, f.data_offset, &d, sizeof d);
  assert_ok (vhd_header_decode (&d, f.data_offset, &f, file_length (name),
                                NULL, &h));
  return h;
}

static void
child_records_its_parent (void **state)
{
  struct vhd_footer parent, child;
  struct vhd_header h;
  struct stat st;
  uint8_t end[512];
  char *real;

  (void) state;
  create ("base.vhd", VHDKIT_TYPE_DYNAMIC, 64 * MiB);
  create_child ("child.vhd", "base.vhd");
  parent = footer_at ("base.vhd", 0);
  child = footer_at ("child.vhd", 0);
  h = header_of ("child.vhd");
  assert_int_equal (stat (temp_path ("base.vhd"), &st), 0);

  assert_int_equal (child.type, 4);
  assert_int_equal (child.current_size, 64 * MiB);
  assert_memory_equal (h.parent_id, parent.id, 16);
  assert_int_equal (h.parent_timestamp, st.st_mtime - VHD_EPOCH);
  assert_memory_equal (h.parent_name, "\0b\0a\0s\0e\0.\0v\0h\0d\0\0", 18);
  assert_int_equal (h.table_offset, 0x3000);
  assert_int_equal (h.table_entries, 32);
  assert_int_equal (h.block_size, 2 * MiB);

  assert_int_equal (h.locator[0].platform, VHD_PLATFORM_W2KU);
  assert_int_equal (h.locator[0].offset, 0x1000);
  assert_int_equal (h.locator[0].space, 4096);
  real = realpath (temp_path ("base.vhd"), NULL);
  assert_utf16le ("child.vhd", 0x1000, h.locator[0].length, real);
  free (real);
  assert_int_equal (h.locator[1].platform, VHD_PLATFORM_W2RU);
  assert_int_equal (h.locator[1].offset, 0x2000);
  assert_utf16le ("child.vhd", 0x2000, h.locator[1].length, ".\\base.vhd");

  assert_int_equal (file_length ("child.vhd"), 0x5000);
  assert_filled ("child.vhd", 0x3000, 0x4000, 0xff);
  read_at ("child.vhd", 0x4e00, end, 512);
  assert_memory_equal (end, "conectix", 8);
}

static void
child_takes_the_block_size_of_its_parent (void **state)
{
  struct vhdkit_create_options o = options (VHDKIT_TYPE_DYNAMIC, 8 * MiB);

  (void) state;
  o.block_size = 64 * KiB;
  o.flags = VHDKIT_CREATE_ANY_BLOCK_SIZE;
  unlink (temp_path ("small.vhd"));
  assert_ok (vhdkit_create_image (temp_path ("small.vhd"), &o));
  create_child ("c", "small.vhd");
  assert_int_equal (header_of ("c").block_size, 64 * KiB);

  create ("fixed.vhd", VHDKIT_TYPE_FIXED, 8 * MiB);
  create_child ("c", "fixed.vhd");
  assert_int_equal (header_of ("c").block_size, 2 * MiB);

  o = options (VHDKIT_TYPE_DIFFERENCING, 0);
  set_parent (&o, "small.vhd");
  o.block_size = 512 * KiB;
  unlink (temp_path ("c"));
  assert_ok (vhdkit_create_image (temp_path ("c"), &o));
  assert_int_equal (header_of ("c").block_size, 512 * KiB);
}

static void
child_of_a_child (void **state)
{
  (void) state;
  create ("base.vhd", VHDKIT_TYPE_FIXED, 8 * MiB);
  create_child ("c1", "base.vhd");
  create_child ("c2", "c1");
  assert_memory_equal (header_of ("c2").parent_id, footer_at ("c1", 0).id, 16);
}

static void
raw_parent_has_no_id (void **state)
{
  struct vhdkit_create_options o = options (VHDKIT_TYPE_DIFFERENCING, 0);
  static const uint8_t zero[16];

  (void) state;
  unlink (temp_path ("c"));
  unlink (temp_path ("raw"));
  write_at ("raw", 4 * MiB - 512, zero, 0);
  assert_int_equal (truncate (temp_path ("raw"), 4 * MiB + 512), 0);
  set_parent (&o, "raw");
  assert_refused ("c", &o, VHDKIT_ERR_CHAIN_ERROR);     /* not asked for */
  o.flags = VHDKIT_CREATE_RAW_PARENT;
  assert_ok (vhdkit_create_image (temp_path ("c"), &o));
  assert_memory_equal (header_of ("c").parent_id, zero, 16);
  assert_int_equal (footer_at ("c", 0).current_size, 4 * MiB + 512);

  unlink (temp_path ("c"));
  assert_int_equal (truncate (temp_path ("raw"), 4 * MiB + 100), 0);
  assert_refused ("c", &o, VHDKIT_ERR_INVALID_SIZE);
}

static void
names_of_parents_are_unicode (void **state)
{
  struct vhdkit_create_options o = options (VHDKIT_TYPE_DIFFERENCING, 0);
  struct vhd_header h;

  (void) state;
  create ("p\xc3\xa4\xf0\x9f\x98\x80.vhd", VHDKIT_TYPE_DYNAMIC, 4 * MiB);
  create_child ("c", "p\xc3\xa4\xf0\x9f\x98\x80.vhd");
  h = header_of ("c");
  assert_memory_equal (h.parent_name, "\0p\0\xe4\xd8\x3d\xde\0\0.", 10);

  create ("bad\xff.vhd", VHDKIT_TYPE_DYNAMIC, 4 * MiB);
  unlink (temp_path ("c"));
  set_parent (&o, "bad\xff.vhd");
  assert_refused ("c", &o, VHDKIT_ERR_INVALID_NAME);
  create ("bad\\slash.vhd", VHDKIT_TYPE_DYNAMIC, 4 * MiB);
  set_parent (&o, "bad\\slash.vhd");
  assert_refused ("c", &o, VHDKIT_ERR_INVALID_NAME);
}

static void
unusable_parents_are_refused (void **state)
{
  struct vhdkit_create_options o = options (VHDKIT_TYPE_DIFFERENCING, 0);
  struct vhd_footer f;
  struct vhd_footer_disk d;
  vhdkit_disk *disk;

  (void) state;
  unlink (temp_path ("c"));
  set_parent (&o, "absent");
  assert_refused ("c", &o, VHDKIT_ERR_FILE_NOT_FOUND);
  write_at ("garbage", 0, "this is not an image", 20);
  set_parent (&o, "garbage");
  assert_refused ("c", &o, VHDKIT_ERR_CHAIN_ERROR);

  create ("busy.vhd", VHDKIT_TYPE_DYNAMIC, 4 * MiB);
  assert_ok (vhdkit_open (temp_path ("busy.vhd"), VHDKIT_ACCESS_ATTACH_RW, 0,
                          NULL, &disk));
  set_parent (&o, "busy.vhd");
  assert_refused ("c", &o, VHDKIT_ERR_SHARING_VIOLATION);
  assert_ok (vhdkit_close (disk));

  create ("noid.vhd", VHDKIT_TYPE_FIXED, 4 * MiB);
  f = footer_at ("noid.vhd", 4 * MiB);
  memset (f.id, 0, sizeof f.id);
  vhd_footer_encode (&f, &d);
  write_at ("noid.vhd", 4 * MiB, &d, sizeof d);
  set_parent (&o, "noid.vhd");
  assert_refused ("c", &o, VHDKIT_ERR_WRONG_STATE);
}

static void
relative_paths (void **state)
{
  static const struct { const char *from, *to, *path; } t[] = {
    { "/a", "/a/b.vhd", ".\\b.vhd" },
    { "/a", "/a/c/b.vhd", ".\\c\\b.vhd" },
    { "/a/x", "/a/b.vhd", "..\\b.vhd" },
    { "/a/x", "/a/xy/b.vhd", "..\\xy\\b.vhd" },
    { "/a/xy", "/a/x/b.vhd", "..\\x\\b.vhd" },
    { "/a/x/y", "/b/c/d.vhd", "..\\..\\..\\b\\c\\d.vhd" },
    { "/", "/b.vhd", ".\\b.vhd" },
    { "/", "/a/b.vhd", ".\\a\\b.vhd" },
    { "/a", "/b.vhd", "..\\b.vhd" },
    { "/a\\b", "/a\\b/c.vhd", ".\\c.vhd" },
  };
  size_t i;

  (void) state;
  for (i = 0; i < sizeof t / sizeof t[0]; i++) {
    char *path = create_relative_path (t[i].from, t[i].to);

    assert_string_equal (path, t[i].path);
    free (path);
  }
  assert_null (create_relative_path ("/a", "/a/b\\c.vhd"));
  assert_last_error (VHDKIT_ERR_INVALID_NAME, "backslash");
}

/*----------------------------------------------------------------------
 * Arguments
 *--------------------------------------------------------------------*/

static void
impossible_options_are_refused (void **state)
{
#define F VHDKIT_TYPE_FIXED
#define D VHDKIT_TYPE_DYNAMIC
#define C VHDKIT_TYPE_DIFFERENCING
  static const struct {
    struct vhdkit_create_options o;
    enum vhdkit_error code;
  } t[] = {
    { { .type = 0, .size = 4 * MiB }, VHDKIT_ERR_INVALID_PARAMETER },
    { { .type = 7, .size = 4 * MiB }, VHDKIT_ERR_INVALID_PARAMETER },
    { { .type = D, .size = 0 }, VHDKIT_ERR_SIZE_TOO_SMALL },
    { { .type = D, .size = 3 * MiB - 512 }, VHDKIT_ERR_SIZE_TOO_SMALL },
    { { .type = F, .size = 3 * MiB - 512 }, VHDKIT_ERR_SIZE_TOO_SMALL },
    { { .type = D, .size = MAX_SIZE + 512 }, VHDKIT_ERR_SIZE_TOO_LARGE },
    { { .type = F, .size = MAX_SIZE + 512 }, VHDKIT_ERR_SIZE_TOO_LARGE },
    { { .type = D, .size = UINT64_MAX - 511 }, VHDKIT_ERR_SIZE_TOO_LARGE },
    { { .type = D, .size = 4 * MiB + 1 }, VHDKIT_ERR_INVALID_PARAMETER },
    { { .type = D, .size = 4 * MiB, .block_size = MiB },
      VHDKIT_ERR_INVALID_PARAMETER },
    { { .type = D, .size = 4 * MiB, .block_size = 1 },
      VHDKIT_ERR_INVALID_PARAMETER },
    { { .type = F, .size = 4 * MiB, .block_size = 2 * MiB },
      VHDKIT_ERR_INVALID_PARAMETER },
    { { .type = D, .size = 4 * MiB, .block_size = 2048,
        .flags = VHDKIT_CREATE_ANY_BLOCK_SIZE },
      VHDKIT_ERR_INVALID_PARAMETER },
    { { .type = D, .size = 4 * MiB, .block_size = 3 * MiB,
        .flags = VHDKIT_CREATE_ANY_BLOCK_SIZE },
      VHDKIT_ERR_INVALID_PARAMETER },
    { { .type = D, .size = MAX_SIZE, .block_size = 4096,
        .flags = VHDKIT_CREATE_ANY_BLOCK_SIZE },
      VHDKIT_ERR_INVALID_PARAMETER },
    { { .type = D, .size = 4 * MiB, .flags = 0x80000000 },
      VHDKIT_ERR_INVALID_PARAMETER },
    { { .type = D, .size = 4 * MiB, .flags = VHDKIT_CREATE_RAW_PARENT },
      VHDKIT_ERR_INVALID_PARAMETER },
    { { .type = D, .size = 4 * MiB, .flags = VHDKIT_CREATE_SPARSE },
      VHDKIT_ERR_INVALID_PARAMETER },
    { { .type = F, .size = 4 * MiB,
        .flags = VHDKIT_CREATE_SPARSE | VHDKIT_CREATE_PREALLOCATE },
      VHDKIT_ERR_INVALID_PARAMETER },
    { { .type = D, .size = 4 * MiB, .parent = "x" },
      VHDKIT_ERR_INVALID_PARAMETER },
    { { .type = C }, VHDKIT_ERR_INVALID_PARAMETER },
    { { .type = C, .size = 4 * MiB, .parent = "x" },
      VHDKIT_ERR_INVALID_PARAMETER },
    { { .type = D, .size = 4 * MiB, .creator = "abc" },
      VHDKIT_ERR_INVALID_PARAMETER },
    { { .type = D, .size = 4 * MiB, .creator = "abcde" },
      VHDKIT_ERR_INVALID_PARAMETER },
    { { .type = D, .size = 4 * MiB, .creator = "tap " },
      VHDKIT_ERR_INVALID_PARAMETER },
  };
#undef F
#undef D
#undef C
  size_t i;

  (void) state;
  for (i = 0; i < sizeof t / sizeof t[0]; i++) {
    struct vhdkit_create_options o = t[i].o;

    o.struct_size = sizeof o;
    assert_refused ("refused", &o, t[i].code);
  }
}

static void
the_limits_themselves_are_possible (void **state)
{
  struct vhdkit_create_options o = options (VHDKIT_TYPE_DYNAMIC, 512);

  (void) state;
  create ("d", VHDKIT_TYPE_DYNAMIC, 3 * MiB);
  create ("d", VHDKIT_TYPE_FIXED, 3 * MiB);
  unlink (temp_path ("d"));
  o.flags = VHDKIT_CREATE_ANY_SIZE;
  assert_ok (vhdkit_create_image (temp_path ("d"), &o));
  o = options (VHDKIT_TYPE_FIXED, MAX_SIZE);
  o.flags = VHDKIT_CREATE_SPARSE;
  unlink (temp_path ("d"));
  assert_ok (vhdkit_create_image (temp_path ("d"), &o));
  assert_int_equal (file_length ("d"), MAX_SIZE + 512);
  unlink (temp_path ("d"));
}

/* 4 MiB of table. */
static void
the_largest_disk_is_made (void **state)
{
  (void) state;
  create ("d", VHDKIT_TYPE_DYNAMIC, MAX_SIZE);
  assert_int_equal (file_length ("d") % 4096, 0);
  assert_int_equal (footer_at ("d", file_length ("d") - 512).current_size,
                    MAX_SIZE);
  unlink (temp_path ("d"));
}

static void
null_pointers_are_refused (void **state)
{
  struct vhdkit_create_options o = options (VHDKIT_TYPE_DYNAMIC, 4 * MiB);

  (void) state;
  assert_int_equal (vhdkit_create_image (NULL, &o), -1);
  assert_last_error (VHDKIT_ERR_NULL_POINTER, "path");
  assert_int_equal (vhdkit_create_image (temp_path ("d"), NULL), -1);
  assert_last_error (VHDKIT_ERR_NULL_POINTER, "opts");
  o.struct_size = 8;
  assert_refused ("refused", &o, VHDKIT_ERR_INVALID_PARAMETER);
}

/*----------------------------------------------------------------------
 * The file: nothing is overwritten, nothing is left
 *--------------------------------------------------------------------*/

static void
assert_exists (const char *name)
{
  struct vhdkit_create_options o = options (VHDKIT_TYPE_DYNAMIC, 4 * MiB);

  assert_int_equal (vhdkit_create_image (temp_path (name), &o), -1);
  assert_last_error (VHDKIT_ERR_EXISTS, name);
}

static void
whatever_exists_is_left_alone (void **state)
{
  char buf[5];

  (void) state;
  write_at ("there", 0, "hello", 5);
  assert_exists ("there");
  read_at ("there", 0, buf, 5);
  assert_memory_equal (buf, "hello", 5);
  assert_int_equal (mkdir (temp_path ("folder"), 0777), 0);
  assert_exists ("folder");
  assert_int_equal (mkfifo (temp_path ("fifo"), 0666), 0);
  assert_exists ("fifo");
  assert_int_equal (symlink ("nowhere", temp_path ("link")), 0);
  assert_exists ("link");
  assert_absent ("nowhere");
  refuse_tmpfile (true);
  assert_exists ("link");
  refuse_tmpfile (false);
}

static void
bad_places_are_refused (void **state)
{
  struct vhdkit_create_options o = options (VHDKIT_TYPE_DYNAMIC, 4 * MiB);

  (void) state;
  assert_int_equal (vhdkit_create_image (temp_path ("no/such"), &o), -1);
  assert_last_error (VHDKIT_ERR_PATH_NOT_FOUND, "no");
  assert_int_equal (vhdkit_create_image ("", &o), -1);
  assert_last_error (VHDKIT_ERR_INVALID_NAME, "");
  assert_int_equal (vhdkit_create_image (temp_path ("folder2/"), &o), -1);
  assert_last_error (VHDKIT_ERR_INVALID_NAME, "folder");
}

static void
a_disk_that_cannot_fit_is_refused_at_once (void **state)
{
  struct vhdkit_create_options o = options (VHDKIT_TYPE_FIXED, MAX_SIZE);
  struct statvfs v;

  (void) state;
  assert_int_equal (statvfs (temp_dir, &v), 0);
  if (v.f_blocks == 0 || (uint64_t) v.f_bfree * v.f_frsize > MAX_SIZE)
    skip ();
  unlink (temp_path ("f"));
  assert_refused ("f", &o, VHDKIT_ERR_DISK_FULL);
}

/* SIGXFSZ is ignored by whoever sets such a limit. */
static void
a_file_size_limit_leaves_nothing (void **state)
{
  struct vhdkit_create_options o = options (VHDKIT_TYPE_FIXED, 16 * MiB);
  struct rlimit old, limit;

  (void) state;
  unlink (temp_path ("f"));
  signal (SIGXFSZ, SIG_IGN);
  assert_int_equal (getrlimit (RLIMIT_FSIZE, &old), 0);
  limit = old;
  limit.rlim_cur = 4 * MiB;
  assert_int_equal (setrlimit (RLIMIT_FSIZE, &limit), 0);
  assert_refused ("f", &o, VHDKIT_ERR_FILE_TOO_LARGE_FOR_FS);
  assert_int_equal (setrlimit (RLIMIT_FSIZE, &old), 0);
}

static int
cancel_later (void *opaque, uint64_t done, uint64_t total)
{
  unsigned *left = opaque;

  assert_true (done <= total);
  return *left == 0 ? 1 : ((*left)--, 0);
}

static void
cancelling_leaves_nothing (void **state)
{
  struct vhdkit_create_options o = options (VHDKIT_TYPE_DYNAMIC, MAX_SIZE);
  unsigned n, left;
  struct progress p = { .fn = cancel_later, .opaque = &left };
  int r;

  (void) state;
  for (n = 0; ; n++) {
    refuse_tmpfile (n % 2);
    left = n;
    unlink (temp_path ("cancelled"));
    r = op_create (temp_path ("cancelled"), &o, &p);
    if (r == 0)
      break;
    assert_last_error (VHDKIT_ERR_CANCELLED, "cancelled");
    assert_absent ("cancelled");
  }
  refuse_tmpfile (false);
  assert_true (n >= 4);
  unlink (temp_path ("cancelled"));
}

/*----------------------------------------------------------------------*/

/* What a process that is killed now would leave. */
static int
look_at_what_is_there (void *opaque, uint64_t done, uint64_t total)
{
  unsigned *looks = opaque;
  vhdkit_disk *disk;

  (void) done;
  (void) total;
  if (access (temp_path ("copy.vhd"), F_OK) == -1)
    return 0;
  assert_int_equal (vhdkit_open (temp_path ("copy.vhd"),
                                 VHDKIT_ACCESS_ATTACH_RO, VHDKIT_OPEN_NO_LOCK,
                                 NULL, &disk), -1);
  ++*looks;
  return 0;
}

/* The disk begins like a dynamic image, because it holds one. */
static void
a_half_made_copy_is_no_image (void **state)
{
  struct create_request r = {
    .path = temp_path ("copy.vhd"),
    .options = options (VHDKIT_TYPE_FIXED, 0),
  };
  char path[512], raw[600];
  uint8_t disk[8192], copy[8192];
  struct copy_source *source;
  struct creation *c;
  unsigned looks = 0;
  struct progress p = { .fn = look_at_what_is_there, .opaque = &looks };

  (void) state;
  snprintf (path, sizeof path, "%s", r.path);
  r.path = path;
  create ("inner.vhd", VHDKIT_TYPE_DYNAMIC, 4 * MiB);
  snprintf (raw, sizeof raw, "raw:%s", temp_path ("inner.vhd"));
  assert_ok (truncate (temp_path ("inner.vhd"), 8 * MiB));
  assert_ok (copy_source_open (raw, 0, NULL, NULL, &source));
  assert_ok (copy_new_size (source, 0, path, &r.options.size));
  refuse_tmpfile (true);
  assert_ok (creation_new (&r, source, &c));
  assert_ok (creation_run (c, &p));
  creation_free (c);
  refuse_tmpfile (false);
  assert_true (looks >= 2);
  read_at ("inner.vhd", 0, disk, sizeof disk);
  read_at ("copy.vhd", 0, copy, sizeof copy);
  assert_memory_equal (copy, disk, sizeof disk);
}

/* Fail the n-th call until one run needs fewer. */
static void
every_failure_leaves_nothing (void **state)
{
  struct vhdkit_create_options o[3] = {
    options (VHDKIT_TYPE_FIXED, 4 * MiB),
    options (VHDKIT_TYPE_DYNAMIC, 4 * MiB),
    options (VHDKIT_TYPE_DIFFERENCING, 0),
  };
  unsigned i, n;
  int r;

  (void) state;
  create ("base.vhd", VHDKIT_TYPE_DYNAMIC, 64 * MiB);
  set_parent (&o[2], "base.vhd");
  for (i = 0; i < 6; i++) {
    refuse_tmpfile (i >= 3);
    for (n = 1; ; n++) {
      calls = 0;
      fail_at = n;
      r = vhdkit_create_image (temp_path ("new"), &o[i % 3]);
      fail_at = 0;
      if (calls < n)
        break;
      assert_int_equal (r, -1);
      assert_absent ("new");
    }
    assert_int_equal (r, 0);
    assert_true (n > 4);
    assert_int_equal (unlink (temp_path ("new")), 0);
  }
  refuse_tmpfile (false);
}

static void
without_nameless_files_the_result_is_the_same (void **state)
{
  struct vhdkit_create_options o = options (VHDKIT_TYPE_DYNAMIC, 64 * MiB);

  (void) state;
  unlink (temp_path ("named"));
  refuse_tmpfile (true);
  assert_ok (vhdkit_create_image (temp_path ("named"), &o));
  refuse_tmpfile (false);
  assert_dynamic_layout ("named", 0x680, 0x1000, 0x1e00);
}

static void
permissions_follow_the_umask (void **state)
{
  mode_t old = umask (027);
  struct stat st;

  (void) state;
  create ("d", VHDKIT_TYPE_DYNAMIC, 4 * MiB);
  umask (old);
  assert_int_equal (stat (temp_path ("d"), &st), 0);
  assert_int_equal (st.st_mode & 0777, 0640);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (dynamic_1_GiB_is_laid_out_as_windows_does),
    cmocka_unit_test (dynamic_127_GiB_is_laid_out_as_hyper_v_does),
    cmocka_unit_test (a_full_page_of_table_needs_no_padding),
    cmocka_unit_test (a_last_block_in_part_has_an_entry),
    cmocka_unit_test (block_size_512_KiB),
    cmocka_unit_test (fixed_10_MiB_is_laid_out_as_windows_does),
    cmocka_unit_test (fixed_takes_its_space_unless_sparse),
    cmocka_unit_test (id_and_creator_are_taken_from_the_caller),
    cmocka_unit_test (ids_are_random_by_default),
    cmocka_unit_test (child_records_its_parent),
    cmocka_unit_test (child_takes_the_block_size_of_its_parent),
    cmocka_unit_test (child_of_a_child),
    cmocka_unit_test (raw_parent_has_no_id),
    cmocka_unit_test (names_of_parents_are_unicode),
    cmocka_unit_test (unusable_parents_are_refused),
    cmocka_unit_test (relative_paths),
    cmocka_unit_test (impossible_options_are_refused),
    cmocka_unit_test (the_limits_themselves_are_possible),
    cmocka_unit_test (the_largest_disk_is_made),
    cmocka_unit_test (null_pointers_are_refused),
    cmocka_unit_test (whatever_exists_is_left_alone),
    cmocka_unit_test (bad_places_are_refused),
    cmocka_unit_test (a_disk_that_cannot_fit_is_refused_at_once),
    cmocka_unit_test (a_file_size_limit_leaves_nothing),
    cmocka_unit_test (cancelling_leaves_nothing),
    cmocka_unit_test (a_half_made_copy_is_no_image),
    cmocka_unit_test (every_failure_leaves_nothing),
    cmocka_unit_test (without_nameless_files_the_result_is_the_same),
    cmocka_unit_test (permissions_follow_the_umask),
  };

  return cmocka_run_group_tests (tests, make_temp_dir, remove_temp_dir);
}
