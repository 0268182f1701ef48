/* vhdkit tests: what check finds.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Each test takes a good image, breaks exactly one thing (and mends the
 * checksums over it), and expects exactly the findings that belong to it.
 */
#include <config.h>

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "format/vhd.h"

#define KiB UINT64_C (1024)
#define MiB (1024 * KiB)
#define GiB (1024 * MiB)

/*----------------------------------------------------------------------
 * The findings of one check
 *--------------------------------------------------------------------*/

#define MAX_FINDINGS 300
#define TEXT 640

static struct found {
  enum vhdkit_severity severity;
  enum vhdkit_error code;
  uint64_t offset;
  char file[TEXT], structure[TEXT], found[TEXT], expected[TEXT], meaning[TEXT];
} found[MAX_FINDINGS];
static size_t nr_found, stop_after;
static struct vhdkit_check_result result;

static int
collect (void *opaque, const struct vhdkit_finding *f)
{
  struct found *to = &found[nr_found];

  (void) opaque;
  assert_true (nr_found++ < MAX_FINDINGS);
  to->severity = f->severity;
  to->code = f->code;
  to->offset = f->offset;
  snprintf (to->file, TEXT, "%s", f->file);
  snprintf (to->structure, TEXT, "%s", f->structure);
  snprintf (to->found, TEXT, "%s", f->found);
  snprintf (to->expected, TEXT, "%s", f->expected);
  snprintf (to->meaning, TEXT, "%s", f->meaning);
  return nr_found == stop_after;
}

static int
try_check (const char *name, uint32_t flags)
{
  struct vhdkit_open_options o = {
    .struct_size = sizeof o, .on_finding = collect,
  };

  nr_found = 0;
  memset (&result, 0xee, sizeof result);
  return vhdkit_check (temp_path (name), flags, &o, &result);
}

static void
show_findings (void)
{
  size_t i;

  for (i = 0; i < nr_found; i++)
    print_message ("  %d %s %s: %s at %llu: found %s, expected %s; %s\n",
                   found[i].severity, vhdkit_error_name (found[i].code),
                   found[i].file, found[i].structure,
                   (unsigned long long) found[i].offset, found[i].found,
                   found[i].expected, found[i].meaning);
}

/* Check, and expect so many findings, and counts that agree with them. */
static void
check_flags (const char *name, uint32_t flags, size_t expected)
{
  uint64_t n[4] = { 0 };
  size_t i;

  assert_ok (try_check (name, flags));
  if (nr_found != expected)
    show_findings ();
  assert_int_equal (nr_found, expected);
  for (i = 0; i < nr_found; i++)
    n[found[i].severity]++;
  assert_int_equal (result.notes, n[VHDKIT_SEVERITY_NOTE]);
  assert_int_equal (result.warnings, n[VHDKIT_SEVERITY_WARNING]);
  assert_int_equal (result.leaks, n[VHDKIT_SEVERITY_LEAK]);
  assert_int_equal (result.errors, n[VHDKIT_SEVERITY_ERROR]);
}

static void
check (const char *name, size_t expected)
{
  check_flags (name, 0, expected);
}

static void
assert_clean (const char *name)
{
  check (name, 0);
  check_flags (name, VHDKIT_CHECK_DATA, 0);
}

/* The finding number i.  file: end of the path. */
static void
assert_finding (size_t i, enum vhdkit_severity severity,
                enum vhdkit_error code, const char *file,
                const char *structure, uint64_t offset)
{
  const struct found *f = &found[i];
  const size_t length = strlen (f->file);

  assert_true (i < nr_found);
  if (f->severity != severity || f->code != code || f->offset != offset
      || strcmp (f->structure, structure) != 0)
    show_findings ();
  assert_int_equal (f->severity, severity);
  assert_string_equal (vhdkit_error_name (f->code), vhdkit_error_name (code));
  assert_string_equal (f->structure, structure);
  assert_int_equal (f->offset, offset);
  assert_true (length >= strlen (file));
  assert_string_equal (f->file + length - strlen (file), file);
  assert_true (f->found[0] && f->expected[0] && f->meaning[0]);
}

static void
assert_says (const char *text, const char *words)
{
  if (!strstr (text, words))
    show_findings ();
  assert_non_null (strstr (text, words));
}

/*----------------------------------------------------------------------
 * Making images, and breaking them
 *--------------------------------------------------------------------*/

/* The layout of a new dynamic image with up to 640 blocks: table at 0x600,
 * blocks of 2 MiB at slots of 0x201000, the first at 0x1e00. */
#define TABLE 0x600u
#define SLOT0 0x1e00u
#define STRIDE 0x201000u
#define SLOT(n) (SLOT0 + (uint64_t) (n) * STRIDE)
#define DATA(n) (SLOT (n) + 512)
#define BLOCK (2 * MiB)
/* In a child the table is behind two locators. */
#define CHILD_TABLE 0x3000u
#define CHILD_SLOT(n) (0x4e00u + (uint64_t) (n) * STRIDE)

static int
open_rw (const char *name)
{
  int fd = open (temp_path (name), O_RDWR);

  assert_true (fd >= 0);
  return fd;
}

static void
put (const char *name, uint64_t offset, const void *buf, size_t count)
{
  int fd = open_rw (name);

  assert_int_equal (pwrite (fd, buf, count, offset), count);
  close (fd);
}

static void
get (const char *name, uint64_t offset, void *buf, size_t count)
{
  int fd = open_rw (name);

  assert_int_equal (pread (fd, buf, count, offset), count);
  close (fd);
}

static uint64_t
length_of (const char *name)
{
  struct stat st;

  assert_int_equal (stat (temp_path (name), &st), 0);
  return st.st_size;
}

static void
set_length (const char *name, uint64_t length)
{
  assert_int_equal (truncate (temp_path (name), length), 0);
}

static void
fill (const char *name, uint64_t offset, uint64_t count, int value)
{
  void *buf = malloc (count);

  assert_non_null (buf);
  memset (buf, value, count);
  put (name, offset, buf, count);
  free (buf);
}

static void
create_as (const char *name, enum vhdkit_disk_type type, uint64_t size,
           const char *parent)
{
  char path[512];
  struct vhdkit_create_options o = {
    .struct_size = sizeof o, .type = type, .size = size,
  };

  snprintf (path, sizeof path, "%s", temp_path (parent ? parent : ""));
  o.parent = parent ? path : NULL;
  unlink (temp_path (name));
  assert_ok (vhdkit_create_image (temp_path (name), &o));
}

static void
set_entry (const char *name, uint64_t table, uint32_t block, uint32_t value)
{
  be32 v = put_be32 (value);

  put (name, table + block * 4, &v, sizeof v);
}

/* The footer from where it is to the end of a file of another length. */
static void
move_footer (const char *name, uint64_t to)
{
  uint64_t from = length_of (name) - 512;
  uint8_t footer[512];

  get (name, from, footer, sizeof footer);
  if (to > from)
    fill (name, from, 512, 0);
  put (name, to, footer, sizeof footer);
  set_length (name, to + 512);
}

/* Put a block at offset: bitmap of all ones, data a hole. */
static void
add_block (const char *name, uint64_t table, uint32_t block, uint64_t offset,
           int bitmap)
{
  if (length_of (name) - 512 < offset + 512 + BLOCK)
    move_footer (name, offset + 512 + BLOCK
                 + (offset % 4096 == 3584 ? 3584 : 0));
  fill (name, offset, 512, bitmap);
  if (offset % 4096 + 512 < 4096)       /* it may be the table's padding */
    fill (name, offset + 512, 4096 - (offset + 512) % 4096, 0);
  set_entry (name, table, block, offset / 512);
}

/* Dynamic, 64 MiB, blocks 5, 0 and 9 in this order. */
static void
make_dynamic (const char *name)
{
  create_as (name, VHDKIT_TYPE_DYNAMIC, 64 * MiB, NULL);
  add_block (name, TABLE, 5, SLOT (0), 0xff);
  add_block (name, TABLE, 0, SLOT (1), 0xff);
  add_block (name, TABLE, 9, SLOT (2), 0xff);
  fill (name, DATA (1), 8192, 'x');
}

/* base.vhd, in block 0 of which all is data; and its child. */
static void
make_chain (const char *child)
{
  create_as ("base.vhd", VHDKIT_TYPE_DYNAMIC, 64 * MiB, NULL);
  add_block ("base.vhd", TABLE, 0, SLOT (0), 0xff);
  fill ("base.vhd", DATA (0), BLOCK, 'p');
  create_as (child, VHDKIT_TYPE_DIFFERENCING, 0, "base.vhd");
}

static struct vhd_footer
get_footer (const char *name)
{
  struct vhd_footer_disk d;
  struct vhd_footer f;

  get (name, length_of (name) - 512, &d, sizeof d);
  assert_int_equal (vhd_footer_decode (&d, &f), VHD_FOOTER_VALID);
  return f;
}

static void
put_footer (const char *name, uint64_t offset, const struct vhd_footer *f)
{
  struct vhd_footer_disk d;

  vhd_footer_encode (f, &d);
  put (name, offset, &d, sizeof d);
}

/* Both footers. */
static void
set_footer (const char *name, const struct vhd_footer *f)
{
  put_footer (name, length_of (name) - 512, f);
  if (f->type != VHD_FIXED)
    put_footer (name, 0, f);
}

static struct vhd_header
get_header (const char *name)
{
  struct vhd_footer f = get_footer (name);
  struct vhd_header_disk d;
  struct vhd_header h;

  get (name, 0x200, &d, sizeof d);
  assert_ok (vhd_header_decode (&d, 0x200, &f, length_of (name), NULL, &h));
  return h;
}

static void
set_header (const char *name, const struct vhd_header *h)
{
  struct vhd_header_disk d;

  vhd_header_encode (h, &d);
  put (name, 0x200, &d, sizeof d);
}

/*----------------------------------------------------------------------
 * Good images
 *--------------------------------------------------------------------*/

static void
good_images_are_clean (void **state)
{
  (void) state;
  create_as ("f", VHDKIT_TYPE_FIXED, 4 * MiB, NULL);
  assert_clean ("f");
  assert_int_equal (result.image_end_offset, 4 * MiB);
  assert_int_equal (result.blocks_total, 0);
  create_as ("d", VHDKIT_TYPE_DYNAMIC, 5 * MiB, NULL);
  assert_clean ("d");
  assert_int_equal (result.blocks_total, 3);
  assert_int_equal (result.blocks_allocated, 0);

  make_dynamic ("d");
  assert_clean ("d");
  assert_int_equal (result.blocks_total, 32);
  assert_int_equal (result.blocks_allocated, 3);
  assert_int_equal (result.image_end_offset, SLOT (2) + 512 + BLOCK);
}

static void
good_chains_are_clean (void **state)
{
  (void) state;
  make_chain ("c1");
  add_block ("c1", CHILD_TABLE, 0, CHILD_SLOT (0), 0x80);
  fill ("c1", CHILD_SLOT (0) + 512, 512, 'c');
  create_as ("c2", VHDKIT_TYPE_DIFFERENCING, 0, "c1");
  assert_clean ("c2");
  check_flags ("c2", VHDKIT_OPEN_NO_PARENTS, 0);
}

/* Blocks that a geometry leaves out belong to the image all the same. */
static void
the_geometry_hides_nothing (void **state)
{
  struct vhd_footer f;

  (void) state;
  make_dynamic ("d");
  f = get_footer ("d");
  f.cylinders = 10;
  set_footer ("d", &f);
  check_flags ("d", VHDKIT_OPEN_SIZE_CHS, 0);
  assert_int_equal (result.blocks_total, 32);
}

/* The 2040 GiB image of the requirement, its 10,000 blocks in odd order. */
static void
many_blocks_in_odd_order (void **state)
{
  const uint64_t n = 10000;
  uint32_t i;
  uint64_t first;

  (void) state;
  create_as ("big", VHDKIT_TYPE_DYNAMIC, 2040 * GiB, NULL);
  first = length_of ("big") - 512;
  move_footer ("big", first + n * STRIDE);
  for (i = 0; i < n; i++) {
    fill ("big", first + (i * 7919u % n) * STRIDE, 512, 0xff);
    set_entry ("big", TABLE, i * 104, (first + (i * 7919u % n) * STRIDE) / 512);
  }
  check ("big", 0);
  assert_int_equal (result.blocks_allocated, n);
  unlink (temp_path ("big"));
}

/*----------------------------------------------------------------------
 * What cannot be checked
 *--------------------------------------------------------------------*/

static void
what_is_no_image_cannot_be_checked (void **state)
{
  (void) state;
  assert_int_equal (try_check ("absent", 0), -1);
  assert_last_error (VHDKIT_ERR_FILE_NOT_FOUND, "absent");
  create_as ("d", VHDKIT_TYPE_FIXED, 4 * MiB, NULL);
  set_length ("d", 4 * MiB);
  assert_int_equal (try_check ("d", 0), -1);
  assert_last_error (VHDKIT_ERR_FORMAT_UNKNOWN, "not a VHD");
  assert_int_equal (try_check ("", 0), -1);     /* a folder */
}

/* Nothing is wrong with an image in use, but it changes under our hands. */
static void
what_is_being_written_cannot_be_checked (void **state)
{
  vhdkit_disk *disk;

  (void) state;
  make_chain ("c");
  assert_ok (vhdkit_open (temp_path ("base.vhd"), VHDKIT_ACCESS_ATTACH_RW, 0,
                          NULL, &disk));
  assert_int_equal (try_check ("base.vhd", 0), -1);
  assert_last_error (VHDKIT_ERR_SHARING_VIOLATION, "base.vhd");
  assert_int_equal (try_check ("c", 0), -1);
  assert_last_error (VHDKIT_ERR_SHARING_VIOLATION, "base.vhd");
  assert_ok (vhdkit_close (disk));
  assert_ok (try_check ("c", 0));
}

static void
arguments_are_checked (void **state)
{
  struct vhdkit_open_options o = { .struct_size = 3 };
  struct vhdkit_check_result r;

  (void) state;
  assert_int_equal (vhdkit_check (NULL, 0, NULL, &r), -1);
  assert_last_error (VHDKIT_ERR_NULL_POINTER, "path");
  assert_int_equal (vhdkit_check ("x", 0, NULL, NULL), -1);
  assert_last_error (VHDKIT_ERR_NULL_POINTER, "ret_result");
  assert_int_equal (vhdkit_check ("x", 0, &o, &r), -1);
  assert_last_error (VHDKIT_ERR_INVALID_PARAMETER, "struct_size");
  assert_int_equal (vhdkit_check ("x", 0x80000000, NULL, &r), -1);
  assert_last_error (VHDKIT_ERR_INVALID_PARAMETER, "flags");
}

static void
the_caller_can_end_it (void **state)
{
  (void) state;
  make_dynamic ("d");
  set_entry ("d", TABLE, 1, 1);
  set_entry ("d", TABLE, 2, 1);
  stop_after = 1;
  assert_ok (try_check ("d", 0));
  stop_after = 0;
  assert_int_equal (nr_found, 1);
  assert_int_equal (result.errors, 1);
}

/* Findings may be of no interest, only the counts. */
static void
no_receiver_is_needed (void **state)
{
  (void) state;
  make_dynamic ("d");
  set_entry ("d", TABLE, 1, 1);
  assert_ok (vhdkit_check (temp_path ("d"), 0, NULL, &result));
  assert_int_equal (result.errors, 1);
}

/*----------------------------------------------------------------------
 * Footers
 *--------------------------------------------------------------------*/

static void
footers_that_differ (void **state)
{
  struct vhd_footer f;

  (void) state;
  make_dynamic ("d");
  f = get_footer ("d");
  f.timestamp++;
  put_footer ("d", 0, &f);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_FOOTER_CORRUPT, "d",
                  "footer copy", 0);
  fill ("d", 0, 512, 0);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_FOOTER_CORRUPT, "d",
                  "footer copy", 0);
}

static void
a_missing_footer (void **state)
{
  uint64_t end;

  (void) state;
  make_dynamic ("d");
  end = length_of ("d") - 512;
  put ("d", end + 64, "bad!", 4);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_FOOTER_MISSING, "d",
                  "footer", end);
  assert_says (found[0].found, "damaged");
  set_length ("d", end);
  check ("d", 1);
  assert_says (found[0].found, "no footer");
}

static void
junk_behind_the_footer (void **state)
{
  uint64_t end;

  (void) state;
  make_dynamic ("d");
  end = length_of ("d");
  fill ("d", end, 1000, 'j');
  check ("d", 2);
  assert_finding (1, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_INVALID_FILE_SIZE,
                  "d", "end of file", end);
  assert_says (found[1].found, "1000 bytes");
}

static void
no_valid_footer_at_all (void **state)
{
  (void) state;
  make_dynamic ("d");
  put ("d", 64, "bad!", 4);
  put ("d", length_of ("d") - 512 + 64, "bad!", 4);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_FOOTER_CHECKSUM, "d",
                  "image", 0);
}

static void
an_interrupted_resize (void **state)
{
  (void) state;
  make_dynamic ("d");
  put ("d", 0, "v_poison", 8);
  put ("d", length_of ("d") - 512, "v_poison", 8);
  check ("d", 1);
  assert_int_equal (found[0].severity, VHDKIT_SEVERITY_ERROR);
  assert_says (found[0].found, "v_poison");
}

static void
marks_in_the_footer (void **state)
{
  struct vhd_footer f;
  uint64_t end;

  (void) state;
  make_dynamic ("d");
  end = length_of ("d") - 512;
  f = get_footer ("d");
  f.reserved[0] = 1;
  set_footer ("d", &f);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_NOTE, VHDKIT_ERR_WRONG_STATE, "d",
                  "footer, hidden", end + 0x55);
  f.reserved[0] = 0;
  f.saved_state = 1;
  set_footer ("d", &f);
  check ("d", 1);
  assert_says (found[0].structure, "saved state");
  f.saved_state = 0;
  f.features = 0;
  set_footer ("d", &f);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_FOOTER_CORRUPT, "d",
                  "footer, features", end + 8);
}

/* Kept as they are, and worth a word. */
static void
bytes_where_there_should_be_none (void **state)
{
  struct vhd_footer f;
  struct vhd_header h;
  uint64_t end;

  (void) state;
  make_dynamic ("d");
  end = length_of ("d") - 512;
  f = get_footer ("d");
  f.reserved[426] = 3;
  set_footer ("d", &f);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_NOTE, VHDKIT_ERR_FOOTER_CORRUPT, "d",
                  "footer, reserved bytes", end + 511);
  assert_says (found[0].found, "0x03");
  f.reserved[426] = 0;
  set_footer ("d", &f);
  h = get_header ("d");
  h.reserved1 = 7;
  set_header ("d", &h);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_NOTE, VHDKIT_ERR_HEADER_CORRUPT, "d",
                  "dynamic header, reserved field", 0x200 + 0x3c);
  h.reserved1 = 0;
  h.reserved2[0] = 9;
  set_header ("d", &h);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_NOTE, VHDKIT_ERR_HEADER_CORRUPT, "d",
                  "dynamic header, reserved bytes", 0x200 + 0x300);
}

static void
a_fixed_image_that_was_cut (void **state)
{
  struct vhd_footer f;

  (void) state;
  create_as ("f", VHDKIT_TYPE_FIXED, 4 * MiB, NULL);
  f = get_footer ("f");
  f.current_size += 512;
  set_footer ("f", &f);
  check ("f", 1);
  assert_finding (0, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_INVALID_FILE_SIZE, "f",
                  "footer, current size", 4 * MiB + 0x30);
}

/*----------------------------------------------------------------------
 * Header
 *--------------------------------------------------------------------*/

static void
a_damaged_header (void **state)
{
  struct vhd_header h;

  (void) state;
  make_dynamic ("d");
  h = get_header ("d");
  put ("d", 0x200 + 0x24, "bad!", 4);
  check ("d", 1);
  assert_int_equal (found[0].severity, VHDKIT_SEVERITY_ERROR);
  assert_int_equal (found[0].code, VHDKIT_ERR_HEADER_CHECKSUM);
  h.table_offset = 64 * MiB;
  set_header ("d", &h);
  check ("d", 1);
  assert_int_equal (found[0].severity, VHDKIT_SEVERITY_ERROR);
  assert_int_equal (found[0].offset, 0x200 + 0x10);
}

static void
an_odd_header (void **state)
{
  struct vhd_header h;

  (void) state;
  make_dynamic ("d");
  h = get_header ("d");
  h.next_offset = 0xffffffff;
  set_header ("d", &h);
  check ("d", 1);
  assert_true (found[0].severity < VHDKIT_SEVERITY_LEAK);
  assert_int_equal (found[0].offset, 0x200 + 8);
}

/*----------------------------------------------------------------------
 * Block table
 *--------------------------------------------------------------------*/

static void
an_entry_past_the_end (void **state)
{
  (void) state;
  make_dynamic ("d");
  set_entry ("d", TABLE, 7, 0x1000000);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_BAT_CORRUPT, "d",
                  "BAT entry 7", TABLE + 28);
  assert_says (found[0].found, "sector 16777216");
  assert_says (found[0].meaning, "not in the file");
  assert_int_equal (result.blocks_allocated, 4);
}

static void
an_entry_over_the_footer (void **state)
{
  (void) state;
  make_dynamic ("d");
  set_entry ("d", TABLE, 7, (SLOT (2) + STRIDE) / 512);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_BAT_CORRUPT, "d",
                  "BAT entry 7", TABLE + 28);
  assert_says (found[0].expected, "footer");
}

static void
an_entry_in_the_metadata (void **state)
{
  static const struct { uint32_t sector; const char *what; } t[] = {
    { 0, "footer copy" }, { 1, "dynamic header" }, { 3, "block table" },
  };
  size_t i;

  (void) state;
  make_dynamic ("d");
  for (i = 0; i < sizeof t / sizeof t[0]; i++) {
    set_entry ("d", TABLE, 7, t[i].sector);
    check ("d", 1);
    assert_finding (0, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_BAT_CORRUPT, "d",
                    "BAT entry 7", TABLE + 28);
    assert_says (found[0].found, t[i].what);
  }
  make_chain ("c");
  add_block ("c", CHILD_TABLE, 0, CHILD_SLOT (0), 0);
  set_entry ("c", CHILD_TABLE, 0, 0x2000 / 512);
  check ("c", 1);
  assert_says (found[0].found, "block table");
}

/* As qemu leaves it when the disk was full in the middle of an allocation. */
static void
two_entries_for_one_place (void **state)
{
  (void) state;
  make_dynamic ("d");
  set_entry ("d", TABLE, 17, SLOT (1) / 512);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_BAT_CORRUPT, "d",
                  "BAT entry 17", TABLE + 17 * 4);
  assert_says (found[0].found, "the same as entry 0 ");
  assert_says (found[0].meaning, "blocks 0 (disk bytes 0 to 2097152)");
  assert_says (found[0].meaning, "17 (disk bytes 35651584 to 37748736)");
  assert_says (found[0].meaning, "share 2097664 bytes");
}

static void
blocks_that_overlap (void **state)
{
  (void) state;
  make_dynamic ("d");
  set_entry ("d", TABLE, 17, (SLOT (1) + BLOCK) / 512);
  check ("d", 2);               /* with the block on either side */
  assert_finding (0, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_BAT_CORRUPT, "d",
                  "BAT entry 17", TABLE + 17 * 4);
  assert_says (found[0].found, "inside the block of entry 0 ");
  assert_says (found[0].meaning, "share 512 bytes");
  assert_finding (1, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_BAT_CORRUPT, "d",
                  "BAT entry 9", TABLE + 9 * 4);
}

static void
an_entry_beyond_the_disk (void **state)
{
  struct vhd_header h;

  (void) state;
  make_dynamic ("d");
  h = get_header ("d");
  h.table_entries += 8;
  set_header ("d", &h);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_NOTE, VHDKIT_ERR_BAT_CORRUPT, "d",
                  "dynamic header, number of table entries", 0x21c);
  set_entry ("d", TABLE, 33, SLOT (1) / 512);
  check ("d", 2);
  assert_finding (1, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_BAT_CORRUPT, "d",
                  "BAT entry 33", TABLE + 33 * 4);
}

/* 5 MiB: of the third block only half belongs to the disk. */
static void
a_last_block_that_is_short (void **state)
{
  (void) state;
  create_as ("d", VHDKIT_TYPE_DYNAMIC, 5 * MiB, NULL);
  add_block ("d", TABLE, 2, SLOT (0), 0xff);
  move_footer ("d", SLOT (0) + 512 + MiB);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_BAT_CORRUPT, "d",
                  "BAT entry 2", TABLE + 8);
  move_footer ("d", SLOT (0) + 512 + MiB - 512);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_BAT_CORRUPT, "d",
                  "BAT entry 2", TABLE + 8);
}

static void
a_table_of_garbage_is_summed_up (void **state)
{
  uint32_t i;

  (void) state;
  create_as ("d", VHDKIT_TYPE_DYNAMIC, 2 * GiB, NULL);
  for (i = 0; i < 1000; i++)
    set_entry ("d", TABLE, i, 0xfffffff0);
  assert_ok (try_check ("d", 0));
  assert_int_equal (nr_found, 101);
  assert_int_equal (result.errors, 1000);
  assert_int_equal (result.blocks_allocated, 1000);
  assert_says (found[100].found, "900 more");
}

/*----------------------------------------------------------------------
 * Space
 *--------------------------------------------------------------------*/

static void
space_that_no_block_uses (void **state)
{
  (void) state;
  make_dynamic ("d");
  fill ("d", DATA (1), BLOCK, 'x');
  set_entry ("d", TABLE, 0, VHD_BAT_UNUSED);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_LEAK, VHDKIT_ERR_BLOCK_ALLOCATION_FAILURE,
                  "d", "unused space", SLOT (0) + 512 + BLOCK);
  assert_true (result.leaked_bytes >= BLOCK
               && result.leaked_bytes <= BLOCK + 3 * 4096);
  assert_int_equal (result.blocks_allocated, 2);
}

/* What was freed takes no space on the host, and is used again. */
static void
a_hole_is_no_leak (void **state)
{
  int fd;

  (void) state;
  make_dynamic ("d");
  fill ("d", DATA (1), BLOCK, 'x');
  set_entry ("d", TABLE, 0, VHD_BAT_UNUSED);
  fd = open_rw ("d");
  if (fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, SLOT (1),
                 512 + BLOCK) == -1) {
    close (fd);
    skip ();
  }
  close (fd);
  check ("d", 0);
  assert_int_equal (result.leaked_bytes, 0);
}

/* The edges of a hole, which are zeros, can be as large as a small block. */
static void
the_edges_of_a_hole_are_no_leak (void **state)
{
  const uint64_t first = 0x8e00, second = 0xfe00;
  struct vhd_header h;

  (void) state;
  create_as ("d", VHDKIT_TYPE_DYNAMIC, 3 * MiB, NULL);
  h = get_header ("d");
  h.block_size = 4096;
  h.table_entries = 3 * MiB / h.block_size;
  set_header ("d", &h);
  move_footer ("d", second + 512 + 4096);
  fill ("d", TABLE, h.table_entries * 4, 0xff);
  set_entry ("d", TABLE, 0, first / 512);
  set_entry ("d", TABLE, 1, second / 512);
  fill ("d", first, 512, 0xff);
  fill ("d", second, 512, 0xff);
  assert_clean ("d");

  fill ("d", first + 512 + 4096, 2 * 4096, 0);
  check ("d", 0);
  assert_int_equal (result.leaked_bytes, 0);

  fill ("d", first + 512 + 2 * 4096, 1, 'x');
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_LEAK, VHDKIT_ERR_BLOCK_ALLOCATION_FAILURE,
                  "d", "unused space", first + 512 + 4096);
}

/*----------------------------------------------------------------------
 * Batmap
 *--------------------------------------------------------------------*/

/* Make "d" an image as XenServer has them: creator, and a batmap behind the
 * table, at 0x800 and 0xa00 (there is room before the first slot). */
static void
add_batmap (const uint8_t map[512], uint32_t sum)
{
  struct vhd_batmap_disk b = {
    .offset = put_be64 (0xa00), .sectors = put_be32 (1),
    .version = put_be32 (0x00010002), .checksum = put_be32 (sum),
  };
  struct vhd_footer f = get_footer ("d");

  memcpy (b.cookie, "tdbatmap", 8);
  memcpy (f.creator, "tap\0", 4);
  f.creator_major = 1;
  f.creator_minor = 3;
  set_footer ("d", &f);
  put ("d", 0x800, &b, sizeof b);
  put ("d", 0xa00, map, 512);
}

static void
a_batmap_that_is_true (void **state)
{
  uint8_t map[512] = { 0x84, 0x40 };    /* blocks 0, 5 and 9 */

  (void) state;
  make_dynamic ("d");
  add_batmap (map, ~(uint32_t) (0x84 + 0x40));
  check ("d", 0);
  map[0] = 0;                           /* a 0 is never wrong */
  add_batmap (map, ~(uint32_t) 0x40);
  check ("d", 0);
}

static void
a_batmap_that_is_untrue (void **state)
{
  uint8_t map[512] = { 0x84, 0x40 };

  (void) state;
  make_dynamic ("d");
  add_batmap (map, ~(uint32_t) (0x84 + 0x40));
  put ("d", SLOT (0) + 100, "\xfe", 1);         /* block 5 lacks a sector */
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_BITMAP_MISMATCH, "d",
                  "batmap, block 5", 0xa00);

  make_dynamic ("d");
  map[1] = 0x60;                                /* block 10 is nowhere */
  add_batmap (map, ~(uint32_t) (0x84 + 0x60));
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_BITMAP_MISMATCH, "d",
                  "batmap, block 10", 0xa01);
}

static void
a_batmap_with_a_wrong_sum (void **state)
{
  uint8_t map[512] = { 0xff };

  (void) state;
  make_dynamic ("d");
  add_batmap (map, 1);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_BITMAP_MISMATCH, "d",
                  "batmap, checksum", 0x818);
}

static void
a_batmap_of_another_version (void **state)
{
  uint8_t map[512] = { 0x84, 0x40 };

  (void) state;
  make_dynamic ("d");
  add_batmap (map, ~(uint32_t) (0x84 + 0x40));
  put ("d", 0x814, "\0\1\0\3", 4);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_UNSUPPORTED_VERSION,
                  "d", "batmap header, version", 0x814);
  assert_says (found[0].found, "version 1.3");
}

static void
bitmaps_of_the_first_tapdisk (void **state)
{
  struct vhd_footer f;

  (void) state;
  make_dynamic ("d");
  f = get_footer ("d");
  memcpy (f.creator, "tap\0", 4);
  f.creator_major = 0;
  f.creator_minor = 1;
  set_footer ("d", &f);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_UNSUPPORTED_VERSION,
                  "d", "footer, creator version", length_of ("d") - 512 + 0x20);
  f.creator_major = 1;          /* which may have no batmap yet */
  set_footer ("d", &f);
  check ("d", 0);
}

/* Looked at, but not served: without the key its data is garbage. */
static void
a_disk_that_xenserver_encrypts (void **state)
{
  uint8_t map[512] = { 0x84, 0x40 };
  vhdkit_disk *disk;

  (void) state;
  make_dynamic ("d");
  add_batmap (map, ~(uint32_t) (0x84 + 0x40));
  put ("d", 0x81d, "\1key", 4);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_NOT_SUPPORTED, "d",
                  "batmap header, key hash", 0x81d);
  assert_int_equal (vhdkit_open (temp_path ("d"), VHDKIT_ACCESS_READ, 0, NULL,
                                 &disk), -1);
  assert_int_equal (vhdkit_get_error_code (), VHDKIT_ERR_NOT_SUPPORTED);
  assert_int_equal (vhdkit_get_errno (), ENOTSUP);
  assert_says (vhdkit_get_error (), "XenServer encrypts");
}

static void
a_batmap_that_is_missing (void **state)
{
  uint8_t map[512] = { 0 };

  (void) state;
  make_dynamic ("d");
  add_batmap (map, UINT32_MAX);
  fill ("d", 0x800, 512, 0);
  check ("d", 1);
  assert_finding (0, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_HEADER_CORRUPT, "d",
                  "batmap header", 0x800);
}

/*----------------------------------------------------------------------
 * Programs that ignore parents
 *--------------------------------------------------------------------*/

/* qemu puts its first block right behind the table. */
#define QEMU_SLOT (CHILD_TABLE + 512u)

static void
a_block_in_the_manner_of_qemu (void **state)
{
  (void) state;
  make_chain ("c");
  add_block ("c", CHILD_TABLE, 0, QEMU_SLOT, 0xff);
  fill ("c", QEMU_SLOT + 512, 64 * KiB, 'q');
  check ("c", 1);
  assert_finding (0, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_BITMAP_MISMATCH, "c",
                  "sector bitmap of block 0", QEMU_SLOT);
  assert_says (found[0].meaning, "qemu");
  check_flags ("c", VHDKIT_CHECK_DATA, 1);
  assert_says (found[0].found, "3968 of 4096");
  assert_says (found[0].meaning, "disk byte 65536 ");
}

/* Where we put it: as likely a guest's discard, so only noted. */
static void
a_full_block_at_our_place (void **state)
{
  (void) state;
  make_chain ("c");
  add_block ("c", CHILD_TABLE, 0, CHILD_SLOT (0), 0xff);
  fill ("c", CHILD_SLOT (0) + 512, 64 * KiB, 'q');
  check ("c", 1);
  assert_finding (0, VHDKIT_SEVERITY_NOTE, VHDKIT_ERR_BITMAP_MISMATCH, "c",
                  "sector bitmap of block 0", CHILD_SLOT (0));
}

static void
blocks_that_are_not_suspect (void **state)
{
  (void) state;
  make_chain ("c");             /* the parents hold nothing there */
  add_block ("c", CHILD_TABLE, 1, QEMU_SLOT, 0xff);
  fill ("c", QEMU_SLOT + 512, 64 * KiB, 'q');
  assert_clean ("c");

  make_chain ("c");             /* a guest's zeros */
  add_block ("c", CHILD_TABLE, 0, QEMU_SLOT, 0xff);
  assert_clean ("c");

  make_chain ("c");             /* only what was written is marked */
  add_block ("c", CHILD_TABLE, 0, QEMU_SLOT, 0xff);
  fill ("c", QEMU_SLOT + 512, 64 * KiB, 'q');
  fill ("c", QEMU_SLOT + 16, 512 - 16, 0);
  assert_clean ("c");

  make_chain ("c");             /* mostly data */
  add_block ("c", CHILD_TABLE, 0, QEMU_SLOT, 0xff);
  fill ("c", QEMU_SLOT + 512, BLOCK * 3 / 4, 'q');
  assert_clean ("c");
}

/* Through a child that holds nothing, down to a raw base. */
static void
hidden_data_of_a_grandparent (void **state)
{
  (void) state;
  make_chain ("c1");
  create_as ("c2", VHDKIT_TYPE_DIFFERENCING, 0, "c1");
  add_block ("c2", CHILD_TABLE, 0, QEMU_SLOT, 0xff);
  fill ("c2", QEMU_SLOT + 512, 64 * KiB, 'q');
  check ("c2", 1);
  assert_finding (0, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_BITMAP_MISMATCH,
                  "c2", "sector bitmap of block 0", QEMU_SLOT);
}

/*----------------------------------------------------------------------
 * Data
 *--------------------------------------------------------------------*/

static void
data_in_sectors_never_written (void **state)
{
  (void) state;
  make_dynamic ("d");
  put ("d", SLOT (1), "\xef", 1);
  check ("d", 0);
  check_flags ("d", VHDKIT_CHECK_DATA, 1);
  assert_finding (0, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_BITMAP_MISMATCH, "d",
                  "data of block 0", DATA (1) + 3 * 512);

  make_chain ("c");
  add_block ("c", CHILD_TABLE, 3, CHILD_SLOT (0), 0);
  put ("c", CHILD_SLOT (0) + 512 + BLOCK - 1, "x", 1);
  check_flags ("c", VHDKIT_CHECK_DATA, 1);
  assert_finding (0, VHDKIT_SEVERITY_NOTE, VHDKIT_ERR_BITMAP_MISMATCH, "c",
                  "data of block 3", CHILD_SLOT (0) + BLOCK);
}

static void
an_old_footer_among_the_data (void **state)
{
  struct vhd_footer f;

  (void) state;
  make_dynamic ("d");
  f = get_footer ("d");
  put_footer ("d", DATA (0) + 7 * 512, &f);
  check ("d", 0);
  check_flags ("d", VHDKIT_CHECK_DATA, 1);
  assert_finding (0, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_FOOTER_CORRUPT, "d",
                  "data of block 5, sector 7", DATA (0) + 7 * 512);
  assert_says (found[0].meaning, "disk byte 10489344,");
  f.id[3] ^= 1;                 /* a guest's own image */
  put_footer ("d", DATA (0) + 7 * 512, &f);
  check_flags ("d", VHDKIT_CHECK_DATA, 0);
}

/*----------------------------------------------------------------------
 * Chains
 *--------------------------------------------------------------------*/

static void
a_missing_parent (void **state)
{
  (void) state;
  make_chain ("c");
  assert_int_equal (rename (temp_path ("base.vhd"), temp_path ("away")), 0);
  check ("c", 1);
  assert_finding (0, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_PARENT_NOT_FOUND, "c",
                  "parent", 0x228);
  assert_says (found[0].found, "base.vhd");
  check_flags ("c", VHDKIT_OPEN_NO_PARENTS, 0);
}

/* Reading the locators for people comes after the search, and has errors of its
 * own. */
static void
a_missing_parent_and_a_locator_that_is_no_text (void **state)
{
  vhdkit_disk *writer;

  (void) state;
  make_chain ("c");
  put ("c", get_header ("c").locator[1].offset, "\x00\xd8", 2);
  assert_ok (vhdkit_open (temp_path ("base.vhd"), VHDKIT_ACCESS_ATTACH_RW, 0,
                          NULL, &writer));
  assert_int_equal (try_check ("c", 0), -1);
  assert_last_error (VHDKIT_ERR_SHARING_VIOLATION, "base.vhd");
  assert_ok (vhdkit_close (writer));

  assert_int_equal (rename (temp_path ("base.vhd"), temp_path ("away")), 0);
  check ("c", 1);
  assert_finding (0, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_PARENT_NOT_FOUND, "c",
                  "parent", 0x228);
  assert_says (found[0].found, "base.vhd");
}

static void
a_parent_with_another_id (void **state)
{
  (void) state;
  make_chain ("c");
  create_as ("base.vhd", VHDKIT_TYPE_DYNAMIC, 64 * MiB, NULL);
  check ("c", 1);
  assert_finding (0, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_PARENT_ID_MISMATCH,
                  "c", "parent", 0x228);
}

static void
a_parent_that_is_damaged (void **state)
{
  (void) state;
  make_chain ("c");
  set_entry ("base.vhd", TABLE, 0, 1);
  assert_int_equal (try_check ("c", 0), 0);
  assert_true (result.errors >= 1);
  assert_finding (0, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_BAT_CORRUPT,
                  "base.vhd", "BAT entry 0", TABLE);

  make_chain ("c");
  put ("base.vhd", 0x200, "no", 2);
  assert_ok (try_check ("c", 0));
  assert_true (result.errors >= 1);
  assert_finding (nr_found - 1, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_CHAIN_ERROR,
                  "c", "parent", 0x228);
}

static void
a_parent_that_changed (void **state)
{
  struct timespec t[2] = { { 1000000000, 0 }, { 1000000000, 0 } };
  struct vhd_footer f;

  (void) state;
  make_chain ("c");
  assert_int_equal (utimensat (AT_FDCWD, temp_path ("base.vhd"), t, 0), 0);
  check ("c", 1);
  assert_finding (0, VHDKIT_SEVERITY_WARNING,
                  VHDKIT_ERR_PARENT_TIMESTAMP_MISMATCH, "c",
                  "parent time stamp", 0x238);

  make_chain ("c");
  f = get_footer ("c");
  f.current_size -= 512;
  set_footer ("c", &f);
  check ("c", 1);
  assert_int_equal (found[0].severity, VHDKIT_SEVERITY_WARNING);
  assert_int_equal (found[0].code, VHDKIT_ERR_PARENT_SIZE_MISMATCH);
}

static void
an_image_that_is_its_own_parent (void **state)
{
  struct vhd_footer f;
  struct vhd_header h;

  (void) state;
  make_chain ("c");
  f = get_footer ("c");
  h = get_header ("c");
  memcpy (h.parent_id, f.id, 16);
  set_header ("c", &h);
  unlink (temp_path ("base.vhd"));
  assert_int_equal (symlink ("c", temp_path ("base.vhd")), 0);
  check ("c", 1);
  assert_finding (0, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_CHAIN_CYCLE, "c",
                  "parent", 0x228);
  unlink (temp_path ("base.vhd"));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (good_images_are_clean),
    cmocka_unit_test (good_chains_are_clean),
    cmocka_unit_test (the_geometry_hides_nothing),
    cmocka_unit_test (many_blocks_in_odd_order),
    cmocka_unit_test (what_is_no_image_cannot_be_checked),
    cmocka_unit_test (what_is_being_written_cannot_be_checked),
    cmocka_unit_test (arguments_are_checked),
    cmocka_unit_test (the_caller_can_end_it),
    cmocka_unit_test (no_receiver_is_needed),
    cmocka_unit_test (footers_that_differ),
    cmocka_unit_test (a_missing_footer),
    cmocka_unit_test (junk_behind_the_footer),
    cmocka_unit_test (no_valid_footer_at_all),
    cmocka_unit_test (an_interrupted_resize),
    cmocka_unit_test (marks_in_the_footer),
    cmocka_unit_test (bytes_where_there_should_be_none),
    cmocka_unit_test (a_fixed_image_that_was_cut),
    cmocka_unit_test (a_damaged_header),
    cmocka_unit_test (an_odd_header),
    cmocka_unit_test (an_entry_past_the_end),
    cmocka_unit_test (an_entry_over_the_footer),
    cmocka_unit_test (an_entry_in_the_metadata),
    cmocka_unit_test (two_entries_for_one_place),
    cmocka_unit_test (blocks_that_overlap),
    cmocka_unit_test (an_entry_beyond_the_disk),
    cmocka_unit_test (a_last_block_that_is_short),
    cmocka_unit_test (a_table_of_garbage_is_summed_up),
    cmocka_unit_test (space_that_no_block_uses),
    cmocka_unit_test (a_hole_is_no_leak),
    cmocka_unit_test (the_edges_of_a_hole_are_no_leak),
    cmocka_unit_test (a_batmap_that_is_true),
    cmocka_unit_test (a_batmap_that_is_untrue),
    cmocka_unit_test (a_batmap_with_a_wrong_sum),
    cmocka_unit_test (a_batmap_of_another_version),
    cmocka_unit_test (bitmaps_of_the_first_tapdisk),
    cmocka_unit_test (a_disk_that_xenserver_encrypts),
    cmocka_unit_test (a_batmap_that_is_missing),
    cmocka_unit_test (a_block_in_the_manner_of_qemu),
    cmocka_unit_test (a_full_block_at_our_place),
    cmocka_unit_test (blocks_that_are_not_suspect),
    cmocka_unit_test (hidden_data_of_a_grandparent),
    cmocka_unit_test (data_in_sectors_never_written),
    cmocka_unit_test (an_old_footer_among_the_data),
    cmocka_unit_test (a_missing_parent),
    cmocka_unit_test (a_missing_parent_and_a_locator_that_is_no_text),
    cmocka_unit_test (a_parent_with_another_id),
    cmocka_unit_test (a_parent_that_is_damaged),
    cmocka_unit_test (a_parent_that_changed),
    cmocka_unit_test (an_image_that_is_its_own_parent),
  };

  return cmocka_run_group_tests (tests, make_temp_dir, remove_temp_dir);
}
