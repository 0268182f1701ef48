/* vhdkit tests: differencing disks made by vhdkit_create, what they say of
 * their parents, and what becomes of those.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Tests named B_nnn are behaviours of docs/windows-map.md, which is made from
 * the comments "B-nnn:" here.
 */
#include <config.h>

#include "unit.h"
#include "create-calls.h"

#include <utime.h>

#include "format/vhd.h"

/*----------------------------------------------------------------------
 * Making chains
 *--------------------------------------------------------------------*/

static void
create_child (const char *name, const char *parent)
{
  char path[512];
  struct vhdkit_create_parameters p;

  snprintf (path, sizeof path, "%s", temp_path (parent));
  p = child_parameters (path);
  create_ok (name, &p);
}

static void
fill (const char *name, int byte)
{
  uint8_t *buf = malloc (MiB);
  vhdkit_disk *disk;
  uint64_t at;

  assert_non_null (buf);
  memset (buf, byte, MiB);
  assert_ok (vhdkit_open (temp_path (name), VHDKIT_ACCESS_ALL, 0, NULL,
                          &disk));
  for (at = 0; at < vhdkit_size (disk); at += MiB)
    assert_ok (vhdkit_pwrite (disk, buf, MiB, at, 0));
  assert_ok (vhdkit_close (disk));
  free (buf);
}

/* base.vhd (dynamic, 4 MiB of 'b') <- child.vhd */
static void
make_pair (void)
{
  struct vhdkit_create_parameters p = parameters ();

  create_ok ("base.vhd", &p);
  fill ("base.vhd", 'b');
  create_child ("child.vhd", "base.vhd");
}

static int
open_fails (const char *name, uint32_t flags)
{
  vhdkit_disk *disk = NULL;
  int r = vhdkit_open (temp_path (name), VHDKIT_ACCESS_GET_INFO, flags, NULL,
                       &disk);

  assert_null (disk);
  return r;
}

static void
assert_child_reads (const char *name, int byte, uint32_t flags)
{
  vhdkit_disk *disk = open_disk (name, flags);

  assert_reads (disk, byte);
  assert_ok (vhdkit_close (disk));
}

static void
copy_file (const char *from, const char *to)
{
  char command[1200];

  snprintf (command, sizeof command, "cp -p '%s' '%s'", temp_path (from),
            temp_path (to));
  assert_int_equal (system (command), 0);
}

/* B-044: a fixed, a dynamic and a differencing disk can be a parent */
static void
B_044_kinds_of_parents (void **state)
{
  struct vhdkit_create_parameters p = fixed_parameters ();

  (void) state;
  create_ok ("fixed.vhd", &p);
  fill ("fixed.vhd", 'f');
  create_child ("c1.vhd", "fixed.vhd");
  assert_child_reads ("c1.vhd", 'f', 0);
  create_child ("c2.vhd", "c1.vhd");
  assert_child_reads ("c2.vhd", 'f', 0);
  p = parameters ();
  create_ok ("dynamic.vhd", &p);
  fill ("dynamic.vhd", 'd');
  create_child ("c3.vhd", "dynamic.vhd");
  assert_child_reads ("c3.vhd", 'd', 0);
}

/* B-045: an unwritten child reads as its parent everywhere */
static void
B_045_unwritten_child (void **state)
{
  (void) state;
  make_pair ();
  assert_child_reads ("child.vhd", 'b', 0);
}

/* B-046: writing to the child changes no parent */
static void
B_046_parents_stay (void **state)
{
  (void) state;
  make_pair ();
  create_child ("grand.vhd", "child.vhd");
  copy_file ("base.vhd", "base.copy");
  copy_file ("child.vhd", "child.copy");
  fill ("grand.vhd", 'g');
  assert_child_reads ("grand.vhd", 'g', 0);
  assert_child_reads ("child.vhd", 'b', 0);
  {
    char command[2400];

    snprintf (command, sizeof command, "cmp '%s' '%s' && cmp '%s' '%s'",
              temp_path ("base.vhd"), temp_path ("base.copy"),
              temp_path ("child.vhd"), temp_path ("child.copy"));
    assert_int_equal (system (command), 0);
  }
}

/* B-047: the child records the id and the time stamp of its parent */
static void
B_047_recorded_identity (void **state)
{
  uint8_t id[16], recorded[16];
  vhdkit_disk *disk;
  struct stat st;

  (void) state;
  make_pair ();
  disk = open_disk ("base.vhd", 0);
  info_id (disk, VHDKIT_INFO_IDENTIFIER, id);
  assert_ok (vhdkit_close (disk));
  disk = open_disk ("child.vhd", 0);
  info_id (disk, VHDKIT_INFO_PARENT_IDENTIFIER, recorded);
  assert_memory_equal (id, recorded, 16);
  assert_int_equal (stat (temp_path ("base.vhd"), &st), 0);
  assert_int_equal (info_number (disk, VHDKIT_INFO_PARENT_TIMESTAMP),
                    st.st_mtime - VHD_EPOCH);
  assert_ok (vhdkit_close (disk));
}

static uint32_t
child_block_size (const char *parent, uint32_t block_size)
{
  char path[512];
  struct vhdkit_create_parameters p;
  vhdkit_disk *disk;
  uint32_t n;

  snprintf (path, sizeof path, "%s", temp_path (parent));
  p = child_parameters (path);
  p.block_size = block_size;
  disk = create_open ("blocks.vhd", &p);
  n = info_size (disk).block_size;
  assert_ok (vhdkit_close (disk));
  return n;
}

/* B-048: block size of a child: 2 MiB over a fixed parent, else the parent's,
 * or what was asked for */
static void
B_048_block_size_of_a_child (void **state)
{
  struct vhdkit_create_parameters p = fixed_parameters ();

  (void) state;
  create_ok ("fixed.vhd", &p);
  assert_int_equal (child_block_size ("fixed.vhd", 0), 2 * MiB);
  assert_int_equal (child_block_size ("fixed.vhd", 0x80000), 512 * KiB);
  p = parameters ();
  p.block_size = 0x80000;
  create_ok ("small.vhd", &p);
  assert_int_equal (child_block_size ("small.vhd", 0), 512 * KiB);
  assert_int_equal (child_block_size ("small.vhd", 0x200000), 2 * MiB);
}

/*----------------------------------------------------------------------
 * What becomes of parents
 *--------------------------------------------------------------------*/

/* B-049: the parent is gone: PARENT_NOT_FOUND (C03A000D) on opening; the child
 * alone still opens */
static void
B_049_parent_renamed (void **state)
{
  vhdkit_disk *disk;

  (void) state;
  make_pair ();
  assert_int_equal (rename (temp_path ("base.vhd"), temp_path ("away.vhd")),
                    0);
  assert_int_equal (open_fails ("child.vhd", 0), -1);
  assert_last_error (VHDKIT_ERR_PARENT_NOT_FOUND, "base.vhd");
  assert_int_equal (vhdkit_error_win32 (VHDKIT_ERR_PARENT_NOT_FOUND),
                    0xc03a000d);
  disk = open_disk ("child.vhd", VHDKIT_OPEN_NO_PARENTS);
  assert_int_equal (vhdkit_layers (disk), 1);
  assert_ok (vhdkit_close (disk));
}

/* B-050: another disk in the parent's place: PARENT_ID_MISMATCH */
static void
B_050_parent_replaced (void **state)
{
  struct vhdkit_create_parameters p = parameters ();

  (void) state;
  make_pair ();
  create_ok ("base.vhd", &p);
  assert_int_equal (open_fails ("child.vhd", 0), -1);
  assert_last_error (VHDKIT_ERR_PARENT_ID_MISMATCH, "base.vhd");
  assert_child_reads ("child.vhd", 0, VHDKIT_OPEN_IGNORE_PARENT_ID);
}

struct findings {
  enum vhdkit_error wanted;
  unsigned seen;
};

static int
count (void *opaque, const struct vhdkit_finding *f)
{
  struct findings *seen = opaque;

  if (f->code == seen->wanted) {
    assert_int_equal (f->severity, VHDKIT_SEVERITY_WARNING);
    seen->seen++;
  }
  return 0;
}

/* A finding by default, an error with VHDKIT_OPEN_STRICT_PARENT. */
static void
assert_mismatch (enum vhdkit_error code, uint32_t win32)
{
  struct findings seen = { .wanted = code };
  struct vhdkit_open_options o = {
    .struct_size = sizeof o, .on_finding = count, .opaque = &seen
  };
  vhdkit_disk *disk;

  assert_ok (vhdkit_open (temp_path ("child.vhd"), VHDKIT_ACCESS_READ, 0, &o,
                          &disk));
  assert_ok (vhdkit_close (disk));
  assert_int_equal (seen.seen, 1);
  assert_int_equal (open_fails ("child.vhd", VHDKIT_OPEN_STRICT_PARENT), -1);
  assert_last_error (code, "child.vhd");
  assert_int_equal (vhdkit_get_errno (), ESTALE);
  assert_int_equal (vhdkit_error_win32 (code), win32);
}

/* B-051: the parent was written to: PARENT_TIMESTAMP_MISMATCH, a finding, or
 * an error where it is asked for (VHDKIT_OPEN_STRICT_PARENT) */
static void
B_051_parent_written (void **state)
{
  struct utimbuf then = { 1000000000, 1000000000 };

  (void) state;
  make_pair ();
  assert_child_reads ("child.vhd", 'b', VHDKIT_OPEN_STRICT_PARENT);
  assert_int_equal (utime (temp_path ("base.vhd"), &then), 0);
  assert_mismatch (VHDKIT_ERR_PARENT_TIMESTAMP_MISMATCH, 0xc03a000f);
  assert_child_reads ("child.vhd", 'b', 0);
}

/* The footer at the end, and its copy, with another size. */
static void
set_size (const char *name, uint64_t size)
{
  int fd = open (temp_path (name), O_RDWR);
  struct vhd_footer_disk d;
  struct vhd_footer f;
  struct stat st;

  assert_int_equal (fstat (fd, &st), 0);
  assert_int_equal (pread (fd, &d, 512, st.st_size - 512), 512);
  assert_int_equal (vhd_footer_decode (&d, &f), VHD_FOOTER_VALID);
  f.current_size = size;
  vhd_footer_encode (&f, &d);
  assert_int_equal (pwrite (fd, &d, 512, st.st_size - 512), 512);
  assert_int_equal (pwrite (fd, &d, 512, 0), 512);
  close (fd);
}

/* B-052: the parent has another size: PARENT_SIZE_MISMATCH, likewise */
static void
B_052_parent_resized (void **state)
{
  struct stat st;
  struct utimbuf then;

  (void) state;
  make_pair ();
  assert_int_equal (stat (temp_path ("base.vhd"), &st), 0);
  then = (struct utimbuf) { st.st_mtime, st.st_mtime };
  set_size ("base.vhd", 3 * MiB);
  assert_int_equal (utime (temp_path ("base.vhd"), &then), 0);
  assert_mismatch (VHDKIT_ERR_PARENT_SIZE_MISMATCH, 0xc03a0017);
}

static void
set_parent (const char *name, const char *parent, uint32_t flags)
{
  const char *path = temp_path (parent);
  vhdkit_disk *disk;

  assert_ok (vhdkit_open (temp_path (name), VHDKIT_ACCESS_ALL,
                          VHDKIT_OPEN_NO_PARENTS, NULL, &disk));
  assert_ok (vhdkit_set_info (disk, VHDKIT_SET_INFO_PARENT_PATH, path,
                              strlen (path), flags));
  assert_ok (vhdkit_close (disk));
}

static void
set_parent_fails (const char *name, const char *parent, uint32_t flags)
{
  const char *path = temp_path (parent);
  vhdkit_disk *disk;

  assert_ok (vhdkit_open (temp_path (name), VHDKIT_ACCESS_ALL,
                          VHDKIT_OPEN_NO_PARENTS, NULL, &disk));
  assert_int_equal (vhdkit_set_info (disk, VHDKIT_SET_INFO_PARENT_PATH, path,
                                     strlen (path), flags), -1);
  assert_ok (vhdkit_close (disk));
}

static void
set_id (const char *name, const uint8_t id[16])
{
  vhdkit_disk *disk;

  assert_ok (vhdkit_open (temp_path (name), VHDKIT_ACCESS_ALL,
                          VHDKIT_OPEN_NO_PARENTS, NULL, &disk));
  assert_ok (vhdkit_set_info (disk, VHDKIT_SET_INFO_IDENTIFIER, id, 16, 0));
  assert_ok (vhdkit_close (disk));
}

/* B-053: a chain that is a cycle: CHAIN_CYCLE (C03A0018), and it cannot be made
 * by giving a disk another parent */
static void
B_053_cycle (void **state)
{
  uint8_t id[16];
  vhdkit_disk *disk;

  (void) state;
  make_pair ();
  create_child ("grand.vhd", "child.vhd");
  set_parent_fails ("child.vhd", "grand.vhd", VHDKIT_SET_INFO_FORCE);
  assert_last_error (VHDKIT_ERR_CHAIN_CYCLE, "grand.vhd");
  set_parent_fails ("child.vhd", "child.vhd", VHDKIT_SET_INFO_FORCE);
  assert_last_error (VHDKIT_ERR_CHAIN_CYCLE, "child.vhd");
  assert_child_reads ("grand.vhd", 'b', 0);

  /* By hand: grand.vhd takes the place of base.vhd. */
  disk = open_disk ("base.vhd", 0);
  info_id (disk, VHDKIT_INFO_IDENTIFIER, id);
  assert_ok (vhdkit_close (disk));
  set_id ("grand.vhd", id);
  assert_int_equal (rename (temp_path ("grand.vhd"), temp_path ("base.vhd")),
                    0);
  assert_int_equal (open_fails ("base.vhd", 0), -1);
  assert_last_error (VHDKIT_ERR_CHAIN_CYCLE, "cycle");
  assert_int_equal (open_fails ("child.vhd", 0), -1);
  assert_last_error (VHDKIT_ERR_CHAIN_CYCLE, "cycle");
  assert_int_equal (vhdkit_error_win32 (VHDKIT_ERR_CHAIN_CYCLE), 0xc03a0018);
}

/* B-054: a damaged image further up: CHAIN_ERROR (C03A0019), which names it */
static void
B_054_damaged_grandparent (void **state)
{
  int fd;

  (void) state;
  make_pair ();
  create_child ("grand.vhd", "child.vhd");
  fd = open (temp_path ("base.vhd"), O_WRONLY);
  assert_int_equal (pwrite (fd, "damage", 6, 512), 6);  /* dynamic header */
  close (fd);
  assert_int_equal (open_fails ("grand.vhd", 0), -1);
  assert_last_error (VHDKIT_ERR_CHAIN_ERROR, "base.vhd");
  assert_int_equal (vhdkit_error_win32 (VHDKIT_ERR_CHAIN_ERROR), 0xc03a0019);
}

/*----------------------------------------------------------------------
 * Another parent
 *--------------------------------------------------------------------*/

static void
assert_locators (const char *name, const char *relative)
{
  vhdkit_disk *disk = open_disk (name, 0);
  const struct vhdkit_layer_info *info = vhdkit_layer (disk, 0);
  bool found = false;
  size_t i;

  for (i = 0; i < info->nr_locators; i++) {
    assert_non_null (info->locators[i].text);
    if (strcmp (info->locators[i].platform, "W2ru") == 0) {
      assert_string_equal (info->locators[i].text, relative);
      found = true;
    }
  }
  assert_true (found);
  assert_ok (vhdkit_close (disk));
}

/* B-055: another parent: an identical copy is recorded with its id, time stamp
 * and paths; a disk with another id is refused unless forced */
static void
B_055_reparent (void **state)
{
  struct utimbuf then = { 1300000000, 1300000000 };
  struct vhdkit_create_parameters p = parameters ();
  uint8_t id[16], recorded[16];
  vhdkit_disk *disk;

  (void) state;
  make_pair ();
  mkdir (temp_path ("sub"), 0777);
  copy_file ("base.vhd", "sub/copy.vhd");
  assert_int_equal (utime (temp_path ("sub/copy.vhd"), &then), 0);
  unlink (temp_path ("base.vhd"));
  assert_int_equal (open_fails ("child.vhd", 0), -1);
  set_parent ("child.vhd", "sub/copy.vhd", 0);
  assert_child_reads ("child.vhd", 'b', VHDKIT_OPEN_STRICT_PARENT);
  assert_locators ("child.vhd", ".\\sub\\copy.vhd");
  disk = open_disk ("child.vhd", 0);
  assert_int_equal (info_number (disk, VHDKIT_INFO_PARENT_TIMESTAMP),
                    1300000000 - VHD_EPOCH);
  assert_ok (vhdkit_close (disk));

  create_ok ("other.vhd", &p);
  fill ("other.vhd", 'o');
  set_parent_fails ("child.vhd", "other.vhd", 0);
  assert_last_error (VHDKIT_ERR_PARENT_ID_MISMATCH, "other.vhd", "forced");
  assert_child_reads ("child.vhd", 'b', VHDKIT_OPEN_STRICT_PARENT);
  set_parent ("child.vhd", "other.vhd", VHDKIT_SET_INFO_FORCE);
  assert_child_reads ("child.vhd", 'o', VHDKIT_OPEN_STRICT_PARENT);
  disk = open_disk ("other.vhd", 0);
  info_id (disk, VHDKIT_INFO_IDENTIFIER, id);
  assert_ok (vhdkit_close (disk));
  disk = open_disk ("child.vhd", 0);
  info_id (disk, VHDKIT_INFO_PARENT_IDENTIFIER, recorded);
  assert_memory_equal (id, recorded, 16);
  assert_ok (vhdkit_close (disk));
}

static void
what_cannot_be_a_parent_is_refused (void **state)
{
  struct vhdkit_create_parameters p = parameters ();
  vhdkit_disk *disk;

  (void) state;
  make_pair ();
  unlink (temp_path ("absent.vhd"));
  set_parent_fails ("child.vhd", "absent.vhd", VHDKIT_SET_INFO_FORCE);
  assert_last_error (VHDKIT_ERR_FILE_NOT_FOUND, "absent.vhd");
  p.maximum_size = 8 * MiB;
  disk = open_disk ("base.vhd", 0);
  info_id (disk, VHDKIT_INFO_IDENTIFIER, p.unique_id);
  assert_ok (vhdkit_close (disk));
  create_ok ("larger.vhd", &p);
  set_parent_fails ("child.vhd", "larger.vhd", 0);
  assert_last_error (VHDKIT_ERR_PARENT_SIZE_MISMATCH, "larger.vhd");
  set_parent_fails ("base.vhd", "larger.vhd", 0);
  assert_last_error (VHDKIT_ERR_WRONG_TYPE, "base.vhd");
  assert_child_reads ("child.vhd", 'b', 0);
}

/* Many times, with data beside it: nothing is written over. */
static void
reparenting_touches_nothing_else (void **state)
{
  struct vhdkit_check_result result;
  char name[120];
  uint8_t buf[512];
  vhdkit_disk *disk;
  unsigned i;

  (void) state;
  make_pair ();
  assert_ok (vhdkit_open (temp_path ("child.vhd"), VHDKIT_ACCESS_ALL, 0, NULL,
                          &disk));
  memset (buf, 'c', sizeof buf);
  assert_ok (vhdkit_pwrite (disk, buf, sizeof buf, 2 * MiB, 0));
  assert_ok (vhdkit_close (disk));
  for (i = 0; i < 40; i++) {
    snprintf (name, sizeof name, "%0*u.vhd", i % 2 ? 1 : 100, i);
    copy_file ("base.vhd", name);
    set_parent ("child.vhd", name, 0);
    assert_int_equal (rename (temp_path (name), temp_path ("last.vhd")), 0);
    assert_int_equal (open_fails ("child.vhd", 0), -1);
    set_parent ("child.vhd", "last.vhd", 0);
    disk = open_disk ("child.vhd", VHDKIT_OPEN_STRICT_PARENT);
    memset (buf, 0, sizeof buf);
    assert_ok (vhdkit_pread (disk, buf, 512, 2 * MiB));
    assert_int_equal (buf[0], 'c');
    assert_ok (vhdkit_pread (disk, buf, 512, 2 * MiB + 512));
    assert_int_equal (buf[0], 'b');
    assert_ok (vhdkit_close (disk));
  }
  assert_ok (vhdkit_check (temp_path ("child.vhd"), 0, NULL, &result));
  assert_int_equal (result.errors + result.leaks + result.warnings, 0);
}

static void
another_id_is_in_both_footers (void **state)
{
  static const uint8_t zero[16];
  uint8_t id[16] = "0123456789abcde", found[16];
  struct vhdkit_check_result result;
  vhdkit_disk *disk;

  (void) state;
  make_pair ();
  set_id ("base.vhd", id);
  disk = open_disk ("base.vhd", 0);
  info_id (disk, VHDKIT_INFO_IDENTIFIER, found);
  assert_memory_equal (found, id, 16);
  assert_reads (disk, 'b');
  assert_ok (vhdkit_close (disk));
  assert_ok (vhdkit_check (temp_path ("base.vhd"), 0, NULL, &result));
  assert_int_equal (result.errors + result.warnings, 0);
  assert_int_equal (open_fails ("child.vhd", 0), -1);
  assert_last_error (VHDKIT_ERR_PARENT_ID_MISMATCH, "base.vhd");

  assert_ok (vhdkit_open (temp_path ("base.vhd"), VHDKIT_ACCESS_ALL, 0, NULL,
                          &disk));
  assert_int_equal (vhdkit_set_info (disk, VHDKIT_SET_INFO_IDENTIFIER, zero,
                                     16, 0), -1);
  assert_last_error (VHDKIT_ERR_INVALID_PARAMETER, "zero");
  assert_int_equal (vhdkit_set_info (disk, VHDKIT_SET_INFO_IDENTIFIER, id, 15,
                                     0), -1);
  assert_last_error (VHDKIT_ERR_INVALID_PARAMETER, "16");
  assert_int_equal (vhdkit_set_info (disk, VHDKIT_SET_INFO_VIRTUAL_DISK_ID,
                                     id, 16, 0), -1);
  assert_last_error (VHDKIT_ERR_NOT_SUPPORTED, "class 5");
  assert_int_equal (vhdkit_set_info (disk, 99, id, 16, 0), -1);
  assert_last_error (VHDKIT_ERR_INVALID_PARAMETER, "class 99");
  assert_ok (vhdkit_close (disk));

  disk = open_disk ("base.vhd", 0);
  assert_int_equal (vhdkit_set_info (disk, VHDKIT_SET_INFO_IDENTIFIER, id, 16,
                                     0), -1);
  assert_last_error (VHDKIT_ERR_ACCESS_DENIED, "METAOPS");
  assert_ok (vhdkit_close (disk));
}

/*----------------------------------------------------------------------
 * Information
 *--------------------------------------------------------------------*/

static struct vhdkit_info_parent_location *
parent_location (vhdkit_disk *disk, enum vhdkit_info_class info_class)
{
  struct vhdkit_info_parent_location *l;
  size_t len = 0, needed;

  assert_int_equal (vhdkit_get_info (disk, info_class, NULL, &len), -1);
  assert_last_error (VHDKIT_ERR_INSUFFICIENT_BUFFER, "");
  assert_int_equal (vhdkit_error_win32 (VHDKIT_ERR_INSUFFICIENT_BUFFER), 122);
  needed = len;
  l = malloc (needed);
  assert_non_null (l);
  len = needed - 1;
  assert_int_equal (vhdkit_get_info (disk, info_class, l, &len), -1);
  assert_last_error (VHDKIT_ERR_INSUFFICIENT_BUFFER, "");
  assert_int_equal (len, needed);
  assert_ok (vhdkit_get_info (disk, info_class, l, &len));
  assert_int_equal (len, needed);
  return l;
}

static void
assert_unresolved (uint32_t flags)
{
  vhdkit_disk *disk = open_disk ("child.vhd", flags);
  struct vhdkit_info_parent_location *l =
    parent_location (disk, VHDKIT_INFO_PARENT_LOCATION);
  bool found = false;
  uint32_t i;

  assert_int_equal (l->resolved, 0);
  assert_true (l->nr_paths >= 1);
  for (i = 0; i < l->nr_paths; i++)
    found |= strstr (l->path[i], "base.vhd") != NULL;
  assert_true (found);
  free (l);
  assert_ok (vhdkit_close (disk));
}

static void
assert_resolved (uint32_t flags)
{
  vhdkit_disk *disk = open_disk ("child.vhd", flags);
  struct vhdkit_info_parent_location *l =
    parent_location (disk, VHDKIT_INFO_PARENT_LOCATION);

  assert_int_equal (l->resolved, 1);
  assert_int_equal (l->nr_paths, 1);
  assert_non_null (strstr (l->path[0], "base.vhd"));
  assert_int_equal (access (l->path[0], F_OK), 0);
  free (l);
  assert_ok (vhdkit_close (disk));
}

/* B-056: where the parent is: its path, or if it is not found all the paths
 * that were tried */
static void
B_056_parent_location (void **state)
{
  (void) state;
  make_pair ();
  assert_resolved (0);
  assert_resolved (VHDKIT_OPEN_NO_PARENTS);
  unlink (temp_path ("base.vhd"));
  assert_unresolved (VHDKIT_OPEN_NO_PARENTS);
  assert_unresolved (VHDKIT_OPEN_INSPECT);
}

/* Who may not open a file by way of an image may not learn of it either. */
static void
parent_location_is_confined (void **state)
{
  struct vhdkit_info_parent_location *l;
  struct vhdkit_create_options o = {
    .struct_size = sizeof o, .type = VHDKIT_TYPE_DIFFERENCING
  };
  vhdkit_disk *disk;

  (void) state;
  make_pair ();
  o.parent = temp_path ("base.vhd");
  mkdir (temp_path ("sub"), 0700);
  unlink (temp_path ("sub/child.vhd"));
  assert_ok (vhdkit_create_image (temp_path ("sub/child.vhd"), &o));
  disk = open_disk ("sub/child.vhd", VHDKIT_OPEN_NO_PARENTS);
  l = parent_location (disk, VHDKIT_INFO_PARENT_LOCATION);
  assert_int_equal (l->resolved, 1);
  free (l);
  assert_ok (vhdkit_close (disk));

  disk = open_disk ("sub/child.vhd",
                    VHDKIT_OPEN_NO_PARENTS | VHDKIT_OPEN_CONFINE);
  l = parent_location (disk, VHDKIT_INFO_PARENT_LOCATION);
  assert_int_equal (l->resolved, 0);
  free (l);
  assert_ok (vhdkit_close (disk));
}

static void
assert_types (const char *name, uint32_t subtype, uint32_t vs_type)
{
  static const enum vhdkit_info_class of_parent[] = {
    VHDKIT_INFO_PARENT_LOCATION, VHDKIT_INFO_PARENT_IDENTIFIER,
    VHDKIT_INFO_PARENT_TIMESTAMP,
  };
  vhdkit_disk *disk = open_disk (name, 0);
  uint8_t buf[1024] __attribute__ ((aligned (16)));
  size_t i, len;

  assert_int_equal (info_number (disk, VHDKIT_INFO_PROVIDER_SUBTYPE), subtype);
  assert_int_equal (info_number (disk, VHDKIT_INFO_VS_TYPE), vs_type);
  for (i = 0; i < sizeof of_parent / sizeof of_parent[0]; i++) {
    len = sizeof buf;
    if (subtype == 4)
      assert_ok (vhdkit_get_info (disk, of_parent[i], buf, &len));
    else {
      assert_int_equal (vhdkit_get_info (disk, of_parent[i], buf, &len), -1);
      assert_last_error (VHDKIT_ERR_WRONG_TYPE, name);
    }
  }
  len = sizeof buf;
  assert_int_equal (vhdkit_get_info (disk, VHDKIT_INFO_VS_PARENT, buf, &len),
                    subtype == 4 ? 0 : 1);
  assert_true ((len == 0) == (subtype != 4));
  assert_ok (vhdkit_close (disk));
}

/* B-113: type numbers: 2, 3, 4 for fixed, dynamic, differencing; 1, 0, 2 as
 * Virtual Server has them, whose parent of the others is S_FALSE */
static void
B_113_type_numbers (void **state)
{
  struct vhdkit_create_parameters p = fixed_parameters ();

  (void) state;
  make_pair ();
  create_ok ("fixed.vhd", &p);
  assert_types ("fixed.vhd", 2, 1);
  assert_types ("base.vhd", 3, 0);
  assert_types ("child.vhd", 4, 2);
}

static void
the_other_classes (void **state)
{
  struct vhdkit_create_parameters p = fixed_parameters ();
  vhdkit_disk *disk, *other;
  struct vhdkit_info_size s;
  size_t len = sizeof s;

  (void) state;
  make_pair ();
  disk = open_disk ("base.vhd", 0);
  assert_int_equal (info_number (disk, VHDKIT_INFO_IS_4K_ALIGNED), 1);
  assert_int_equal (info_number (disk, VHDKIT_INFO_PHYSICAL_SECTOR_SIZE), 512);
  assert_int_equal (info_number (disk, VHDKIT_INFO_IS_LOADED), 0);
  other = open_disk ("base.vhd", 0);
  assert_int_equal (info_number (disk, VHDKIT_INFO_IS_LOADED), 1);
  assert_ok (vhdkit_close (other));
  assert_int_equal (info_number (disk, VHDKIT_INFO_IS_LOADED), 0);
  s = info_size (disk);
  assert_int_equal (s.virtual_size, 4 * MiB);
  assert_true (s.physical_size >= 4 * MiB && s.physical_size < 5 * MiB);
  assert_int_equal (s.sector_size, 512);
  assert_int_equal (vhdkit_get_info (disk, VHDKIT_INFO_FRAGMENTATION, &s,
                                     &len), -1);
  assert_last_error (VHDKIT_ERR_NOT_SUPPORTED, "class 12");
  assert_int_equal (vhdkit_get_info (disk, 99, &s, &len), -1);
  assert_last_error (VHDKIT_ERR_INVALID_PARAMETER, "class 99");
  assert_int_equal (vhdkit_get_info (NULL, VHDKIT_INFO_SIZE, &s, &len), -1);
  assert_last_error (VHDKIT_ERR_NULL_POINTER, "disk");
  assert_int_equal (vhdkit_get_info (disk, VHDKIT_INFO_SIZE, &s, NULL), -1);
  assert_last_error (VHDKIT_ERR_NULL_POINTER, "len");
  assert_ok (vhdkit_close (disk));
  create_ok ("fixed.vhd", &p);
  disk = open_disk ("fixed.vhd", 0);
  assert_int_equal (info_size (disk).block_size, 2 * MiB);
  assert_int_equal (info_number (disk, VHDKIT_INFO_IS_4K_ALIGNED), 1);
  assert_ok (vhdkit_close (disk));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (B_044_kinds_of_parents),
    cmocka_unit_test (B_045_unwritten_child),
    cmocka_unit_test (B_046_parents_stay),
    cmocka_unit_test (B_047_recorded_identity),
    cmocka_unit_test (B_048_block_size_of_a_child),
    cmocka_unit_test (B_049_parent_renamed),
    cmocka_unit_test (B_050_parent_replaced),
    cmocka_unit_test (B_051_parent_written),
    cmocka_unit_test (B_052_parent_resized),
    cmocka_unit_test (B_053_cycle),
    cmocka_unit_test (B_054_damaged_grandparent),
    cmocka_unit_test (B_055_reparent),
    cmocka_unit_test (what_cannot_be_a_parent_is_refused),
    cmocka_unit_test (reparenting_touches_nothing_else),
    cmocka_unit_test (another_id_is_in_both_footers),
    cmocka_unit_test (B_056_parent_location),
    cmocka_unit_test (parent_location_is_confined),
    cmocka_unit_test (B_113_type_numbers),
    cmocka_unit_test (the_other_classes),
  };

  return cmocka_run_group_tests (tests, make_temp_dir, remove_temp_dir);
}
