/* vhdkit tests: the rules of CreateVirtualDisk that need no look at files.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Each test is one behaviour of docs/windows-map.md, which is made from the
 * comments "B-nnn:" here.
 */
#include <config.h>

#include "unit.h"
#include "create-calls.h"

/* B-001: no storage type: INVALID_PARAMETER (Win32 87), no file */
static void
B_001_null_storage_type (void **state)
{
  struct vhdkit_create_parameters p = parameters ();

  (void) state;
  p.storage_type = NULL;
  create_invalid ("new.vhd", &p, "storage_type");
}

/* B-002: no parameters: INVALID_PARAMETER, no file */
static void
B_002_null_parameters (void **state)
{
  struct vhdkit_create_parameters p = parameters ();

  (void) state;
  create_invalid ("new.vhd", NULL, "params");
  p.struct_size--;
  create_invalid ("new.vhd", &p, "struct_size");
}

/* B-003: version other than 1 and 2: INVALID_PARAMETER, no file */
static void
B_003_version (void **state)
{
  struct vhdkit_create_parameters p = parameters ();

  (void) state;
  p.version = 0;
  create_invalid ("new.vhd", &p, "version");
  p.version = 3;
  create_invalid ("new.vhd", &p, "version", "3");
  p.version = UINT32_MAX;
  create_invalid ("new.vhd", &p, "version");
}

/* B-004: version 2 takes no access mask; its disk may do everything */
static void
B_004_version_2_has_no_mask (void **state)
{
  struct vhdkit_create_parameters p = parameters ();
  vhdkit_disk *disk;
  uint8_t id[16] = "sixteen letters";

  (void) state;
  p.version = 2;
  create_invalid ("new.vhd", &p, "access_mask");
  p.access_mask = VHDKIT_ACCESS_GET_INFO;
  create_invalid ("new.vhd", &p, "access_mask");
  p.access_mask = VHDKIT_ACCESS_NONE;
  disk = create_open ("new.vhd", &p);
  assert_int_equal (info_size (disk).virtual_size, 4 * MiB);
  assert_ok (vhdkit_pwrite (disk, "x", 1, 0, 0));
  assert_ok (vhdkit_set_info (disk, VHDKIT_SET_INFO_IDENTIFIER, id, 16, 0));
  assert_ok (vhdkit_close (disk));
  p.open_flags = 0x1000;
  create_invalid ("new.vhd", &p, "open_flags");
}

/* B-005: bits of the mask outside of ALL: INVALID_PARAMETER; ALL is possible,
 * and a version 1 disk may do what its mask says */
static void
B_005_mask (void **state)
{
  struct vhdkit_create_parameters p = parameters ();
  vhdkit_disk *disk;
  size_t len = 4;
  uint32_t n;

  (void) state;
  p.access_mask = 0x00400000;
  create_invalid ("new.vhd", &p, "access_mask");
  p.access_mask = VHDKIT_ACCESS_ALL | 1;
  create_invalid ("new.vhd", &p, "access_mask");
  p.access_mask = 0x003f0000;
  disk = create_open ("new.vhd", &p);
  assert_true (vhdkit_is_writable (disk));
  assert_ok (vhdkit_close (disk));

  p.access_mask = VHDKIT_ACCESS_ATTACH_RO;
  disk = create_open ("new.vhd", &p);
  assert_false (vhdkit_is_writable (disk));
  assert_int_equal (vhdkit_pwrite (disk, "x", 1, 0, 0), -1);
  assert_last_error (VHDKIT_ERR_READ_ONLY, "read-only");
  assert_int_equal (vhdkit_get_info (disk, VHDKIT_INFO_PROVIDER_SUBTYPE, &n,
                                     &len), -1);
  assert_last_error (VHDKIT_ERR_ACCESS_DENIED, "GET_INFO");
  assert_ok (vhdkit_close (disk));
}

static uint32_t
block_size_of (const struct vhdkit_create_parameters *p)
{
  vhdkit_disk *disk = create_open ("blocks.vhd", p);
  uint32_t n = info_size (disk).block_size;

  assert_ok (vhdkit_close (disk));
  return n;
}

/* B-006: block size 0: 2 MiB blocks */
static void
B_006_default_block_size (void **state)
{
  struct vhdkit_create_parameters p = parameters ();

  (void) state;
  assert_int_equal (block_size_of (&p), 2 * MiB);
}

/* B-007: block sizes of 512 KiB and 2 MiB are possible */
static void
B_007_block_sizes (void **state)
{
  struct vhdkit_create_parameters p = parameters ();

  (void) state;
  p.block_size = 0x80000;
  assert_int_equal (block_size_of (&p), 512 * KiB);
  p.block_size = 0x200000;
  assert_int_equal (block_size_of (&p), 2 * MiB);
}

/* B-008: other block sizes: INVALID_PARAMETER */
static void
B_008_other_block_sizes (void **state)
{
  static const uint32_t sizes[] =
    { 1 << 20, 4 << 20, 512, 1, 256 << 10, 0x80001, UINT32_MAX };
  struct vhdkit_create_parameters p = parameters ();
  size_t i;

  (void) state;
  for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    p.block_size = sizes[i];
    create_invalid ("new.vhd", &p, "block_size");
  }
}

/* B-009: 3 MiB is the smallest disk; less: SIZE_TOO_SMALL (Win32 87) */
static void
B_009_smallest_disk (void **state)
{
  struct vhdkit_create_parameters p = parameters ();
  vhdkit_disk *disk;

  (void) state;
  p.maximum_size = 3145728;
  disk = create_open ("new.vhd", &p);
  assert_int_equal (vhdkit_size (disk), 3145728);
  assert_ok (vhdkit_close (disk));
  p.maximum_size = 3145216;
  create_refused ("new.vhd", &p, VHDKIT_ERR_SIZE_TOO_SMALL, "maximum_size");
  assert_int_equal (vhdkit_error_win32 (VHDKIT_ERR_SIZE_TOO_SMALL), 87);
  p.maximum_size = 0;
  create_refused ("new.vhd", &p, VHDKIT_ERR_SIZE_TOO_SMALL, "maximum_size");
  p.flags = FULL;
  create_refused ("new.vhd", &p, VHDKIT_ERR_SIZE_TOO_SMALL, "maximum_size");
}

/* B-010: a size that is no multiple of the sector size: INVALID_PARAMETER */
static void
B_010_unaligned_size (void **state)
{
  struct vhdkit_create_parameters p = parameters ();

  (void) state;
  p.maximum_size = 3145729;
  create_invalid ("new.vhd", &p, "maximum_size", "multiple");
  p.flags = FULL;
  create_invalid ("new.vhd", &p, "maximum_size", "multiple");
}

/* B-011: sectors of 512 bytes, said as 512 or 0; others are refused, as are
 * physical ones */
static void
B_011_sector_size (void **state)
{
  static const uint32_t sizes[] = { 1024, 4096, 520, 1 };
  struct vhdkit_create_parameters p = parameters ();
  vhdkit_disk *disk;
  size_t i;

  (void) state;
  p.sector_size = 512;
  p.physical_sector_size = 512;
  disk = create_open ("new.vhd", &p);
  assert_int_equal (info_size (disk).sector_size, 512);
  assert_ok (vhdkit_close (disk));
  p.sector_size = p.physical_sector_size = 0;
  create_ok ("new.vhd", &p);
  for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    p.sector_size = sizes[i];
    create_invalid ("new.vhd", &p, "sector_size");
  }
  p.sector_size = 0;
  p.physical_sector_size = 4096;
  create_invalid ("new.vhd", &p, "physical_sector_size");
  p.version = 2;
  p.access_mask = 0;
  create_invalid ("new.vhd", &p, "physical_sector_size");
}

/* B-012: the flag FULL_PHYSICAL_ALLOCATION makes a fixed disk, none a dynamic
 * one */
static void
B_012_type_by_flag (void **state)
{
  struct vhdkit_create_parameters p = parameters ();
  vhdkit_disk *disk;

  (void) state;
  disk = create_open ("new.vhd", &p);
  assert_int_equal (info_number (disk, VHDKIT_INFO_PROVIDER_SUBTYPE), 3);
  assert_ok (vhdkit_close (disk));
  p.flags = 0x1;
  disk = create_open ("new.vhd", &p);
  assert_int_equal (info_number (disk, VHDKIT_INFO_PROVIDER_SUBTYPE), 2);
  assert_ok (vhdkit_close (disk));
}

/* B-013: every other flag: INVALID_PARAMETER, no file, with either version */
static void
B_013_other_flags (void **state)
{
  struct vhdkit_create_parameters p = parameters ();
  unsigned bit;

  (void) state;
  for (p.version = 1; p.version <= 2; p.version++) {
    p.access_mask = VHDKIT_ACCESS_NONE;
    for (bit = 1; bit < 32; bit++) {
      p.flags = 1u << bit;
      create_invalid ("new.vhd", &p, "flags");
      p.flags |= 1;
      create_invalid ("new.vhd", &p, "flags");
    }
  }
}

/* B-015: a failure leaves the pointer to the disk as it was (and that to the
 * task); the pointer and the path must not be NULL */
static void
B_015_no_handle_on_failure (void **state)
{
  struct vhdkit_create_parameters p = parameters ();
  vhdkit_disk *disk = NULL;

  (void) state;
  unlink (temp_path ("new.vhd"));
  assert_int_equal (vhdkit_create (temp_path ("no/such/new.vhd"), &p, NULL,
                                   &disk), -1);
  assert_last_error (VHDKIT_ERR_PATH_NOT_FOUND, "no/such");
  assert_null (disk);
  assert_int_equal (vhdkit_create (NULL, &p, NULL, &disk), -1);
  assert_last_error (VHDKIT_ERR_INVALID_PARAMETER, "path");
  assert_null (disk);
  assert_int_equal (vhdkit_create (temp_path ("new.vhd"), &p, NULL, NULL),
                    -1);
  assert_last_error (VHDKIT_ERR_INVALID_PARAMETER, "ret_disk");
  assert_absent ("new.vhd");
  create_refused ("no.vhd/", &p, VHDKIT_ERR_INVALID_NAME, "names a folder");
  assert_int_equal (vhdkit_create ("", &p, NULL, &disk), -1);
  assert_last_error (VHDKIT_ERR_BAD_PATHNAME, "empty");
}

/* B-017: a unique id of zeros: a random one, another each time */
static void
B_017_random_ids (void **state)
{
  static const uint8_t zero[16];
  struct vhdkit_create_parameters p = parameters ();
  uint8_t a[16], b[16];
  vhdkit_disk *disk;

  (void) state;
  disk = create_open ("new.vhd", &p);
  info_id (disk, VHDKIT_INFO_IDENTIFIER, a);
  assert_ok (vhdkit_close (disk));
  disk = create_open ("new.vhd", &p);
  info_id (disk, VHDKIT_INFO_IDENTIFIER, b);
  assert_ok (vhdkit_close (disk));
  assert_memory_not_equal (a, zero, 16);
  assert_memory_not_equal (a, b, 16);
}

/* B-018: a unique id that is given is the disk's */
static void
B_018_given_id (void **state)
{
  struct vhdkit_create_parameters p = parameters ();
  vhdkit_disk *disk;
  uint8_t id[16];

  (void) state;
  memcpy (p.unique_id, "\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf\x10", 16);
  disk = create_open ("new.vhd", &p);
  info_id (disk, VHDKIT_INFO_IDENTIFIER, id);
  assert_memory_equal (id, p.unique_id, 16);
  info_id (disk, VHDKIT_INFO_VIRTUAL_DISK_ID, id);
  assert_memory_equal (id, p.unique_id, 16);
  assert_ok (vhdkit_close (disk));
}

/* B-019: a parent and a source: INVALID_PARAMETER, no file */
static void
B_019_parent_and_source (void **state)
{
  struct vhdkit_create_parameters p = child_parameters ("parent.vhd");

  (void) state;
  p.source_path = "source.vhd";
  create_invalid ("new.vhd", &p, "parent_path", "source_path");
}

/* B-020: a parent and a size: INVALID_PARAMETER */
static void
B_020_parent_and_size (void **state)
{
  struct vhdkit_create_parameters p = child_parameters ("parent.vhd");

  (void) state;
  p.maximum_size = 4 * MiB;
  create_invalid ("new.vhd", &p, "parent_path", "maximum_size");
}

/* B-021: a parent and full allocation: INVALID_PARAMETER */
static void
B_021_parent_and_full_allocation (void **state)
{
  struct vhdkit_create_parameters p = child_parameters ("parent.vhd");

  (void) state;
  p.flags = FULL;
  create_invalid ("new.vhd", &p, "parent_path", "FULL_PHYSICAL_ALLOCATION");
}

/* B-025: 2040 GiB is the largest disk; more: SIZE_TOO_LARGE (Win32 87) */
static void
B_025_largest_disk (void **state)
{
  struct vhdkit_create_parameters p = parameters ();
  vhdkit_disk *disk;

  (void) state;
  p.maximum_size = MAX_SIZE;
  disk = create_open ("new.vhd", &p);
  assert_int_equal (vhdkit_size (disk), MAX_SIZE);
  assert_ok (vhdkit_close (disk));
  p.maximum_size = MAX_SIZE + 512;
  create_refused ("new.vhd", &p, VHDKIT_ERR_SIZE_TOO_LARGE, "maximum_size");
  assert_int_equal (vhdkit_error_win32 (VHDKIT_ERR_SIZE_TOO_LARGE), 87);
  p.flags = FULL;
  create_refused ("new.vhd", &p, VHDKIT_ERR_SIZE_TOO_LARGE, "maximum_size");
  p.maximum_size = UINT64_MAX - 511;
  create_refused ("new.vhd", &p, VHDKIT_ERR_SIZE_TOO_LARGE, "maximum_size");
}

/* B-026: version 2, a fixed disk and a block size: INVALID_PARAMETER (version 1
 * allows it, and it means nothing) */
static void
B_026_fixed_has_no_blocks (void **state)
{
  struct vhdkit_create_parameters p = fixed_parameters ();

  (void) state;
  p.block_size = 0x200000;
  create_ok ("new.vhd", &p);
  p.version = 2;
  p.access_mask = 0;
  create_invalid ("new.vhd", &p, "block_size", "fixed");
  p.block_size = 0x80000;
  create_invalid ("new.vhd", &p, "block_size", "fixed");
  p.block_size = 0;
  create_ok ("new.vhd", &p);
}

/* A call that breaks the n-th of these conditions, counting from 0. */
static void
break_condition (struct vhdkit_create_parameters *p, const char **path,
                 unsigned n)
{
  switch (n) {
  case 0: p->storage_type = NULL; break;
  case 1: p->version = 7; break;
  case 2: p->version = 2; p->access_mask = VHDKIT_ACCESS_READ; break;
  case 3: p->block_size = 12345; break;
  case 4: p->maximum_size = 1 * MiB; break;
  case 5: p->maximum_size += 1; break;
  case 6: p->access_mask |= 0x1; break;
  case 7: p->flags |= 0x2; break;
  case 8: p->parent_path = "p"; p->source_path = "s"; break;
  case 9: p->sector_size = 256; break;
  case 10: *path = NULL; break;
  case 11: p->provider_flags = 1; break;
  case 12: p->physical_sector_size = 4096; break;
  default: p->host_flags = 0x80000000; break;
  }
}

/* B-029: of several mistakes the first one of the catalogue is reported */
static void
B_029_first_mistake_first (void **state)
{
  static const char *const word[] = {
    "storage_type", "version", "VHDKIT_ACCESS_NONE", "block_size", "at least",
    "multiple", "only bits of VHDKIT_ACCESS_ALL", "flags", "both",
    "sector_size is", "path is NULL", "provider_flags",
    "physical_sector_size", "host_flags",
  };
  const unsigned conditions = sizeof word / sizeof word[0];
  unsigned first, second;

  (void) state;
  unlink (temp_path ("new.vhd"));
  for (first = 0; first < conditions; first++)
    for (second = first + 1; second < conditions; second++) {
      struct vhdkit_create_parameters p = parameters ();
      const char *path = temp_path ("new.vhd");
      vhdkit_disk *disk;

      /* These two do not go together: 8 says that there is a size of another
       * disk, and with version 2 every mask is wrong. */
      if ((first == 4 && (second == 8 || second == 5))
          || (first == 2 && second == 6) || (first == 1 && second == 2))
        continue;
      /* The first last, so that it is not undone. */
      break_condition (&p, &path, second);
      break_condition (&p, &path, first);
      assert_int_equal (vhdkit_create (path, &p, NULL, &disk), -1);
      assert_last_error (first == 4 ? VHDKIT_ERR_SIZE_TOO_SMALL
                         : VHDKIT_ERR_INVALID_PARAMETER, word[first]);
    }
  assert_absent ("new.vhd");
}

/* B-030: a type that is not VHD: PROVIDER_NOT_FOUND (C03A0014) */
static void
B_030_other_types (void **state)
{
  static const uint32_t devices[] = { VHDKIT_DEVICE_ISO, VHDKIT_DEVICE_VHDX,
                                      VHDKIT_DEVICE_VHDSET, 99 };
  struct vhdkit_storage_type t = type_vhd;
  struct vhdkit_create_parameters p = parameters ();
  size_t i;

  (void) state;
  p.storage_type = &t;
  for (i = 0; i < sizeof devices / sizeof devices[0]; i++) {
    t.device_id = devices[i];
    create_refused ("new.vhd", &p, VHDKIT_ERR_PROVIDER_NOT_FOUND, "disk");
  }
  assert_int_equal (vhdkit_error_win32 (VHDKIT_ERR_PROVIDER_NOT_FOUND),
                    0xc03a0014);
  t = type_vhd;
  t.vendor_id[0] ^= 1;
  create_refused ("new.vhd", &p, VHDKIT_ERR_PROVIDER_NOT_FOUND, "vendor");

  /* Of the parent and the source, in version 2. */
  p.storage_type = &type_vhd;
  p.version = 2;
  p.access_mask = 0;
  p.maximum_size = 0;
  p.parent_path = "parent.vhd";
  p.parent_storage_type.device_id = VHDKIT_DEVICE_VHDX;
  create_refused ("new.vhd", &p, VHDKIT_ERR_PROVIDER_NOT_FOUND, "parent");
  p.source_path = p.parent_path;
  p.parent_path = NULL;
  p.source_storage_type.device_id = VHDKIT_DEVICE_ISO;
  create_refused ("new.vhd", &p, VHDKIT_ERR_PROVIDER_NOT_FOUND, "source");
}

/* B-031: an unknown type and a name that ends in .vhd: a VHD */
static void
B_031_type_by_name (void **state)
{
  static const struct vhdkit_storage_type unknown;
  struct vhdkit_create_parameters p = parameters ();
  vhdkit_disk *disk;
  struct vhdkit_storage_type t;

  (void) state;
  p.storage_type = &unknown;
  disk = create_open ("name.VHD", &p);
  get_info (disk, VHDKIT_INFO_VIRTUAL_STORAGE_TYPE, &t, sizeof t);
  assert_memory_equal (&t, &type_vhd, sizeof t);
  assert_ok (vhdkit_close (disk));
  create_refused ("name.vhdx", &p, VHDKIT_ERR_PROVIDER_NOT_FOUND, ".vhd");
  create_refused ("name", &p, VHDKIT_ERR_PROVIDER_NOT_FOUND, ".vhd");
  p.storage_type = &type_vhd;
  create_ok ("name.img", &p);
}

/* Options of a source are of this version of the library, too. */
static void
source_options_of_another_version (void **state)
{
  struct vhdkit_open_options o = { .struct_size = sizeof o - 8 };
  struct vhdkit_create_parameters p = parameters ();
  uint64_t size;

  (void) state;
  create_ok ("from.vhd", &p);
  p.maximum_size = 0;
  p.source_path = temp_path ("from.vhd");
  p.source_options = &o;
  create_invalid ("new.vhd", &p, "source_options->struct_size");
  assert_int_equal (vhdkit_source_size (p.source_path, 0, &o, &size), -1);
  assert_last_error (VHDKIT_ERR_INVALID_PARAMETER, "opts->struct_size");

  o.struct_size = sizeof o;
  create_ok ("new.vhd", &p);
  assert_ok (vhdkit_source_size (p.source_path, 0, &o, &size));
  assert_int_equal (size, 4 * MiB);
  assert_int_equal (vhdkit_source_size (NULL, 0, &o, &size), -1);
  assert_last_error (VHDKIT_ERR_NULL_POINTER, "source_path");
  assert_int_equal (vhdkit_source_size (p.source_path, 0, &o, NULL), -1);
  assert_last_error (VHDKIT_ERR_NULL_POINTER, "ret_size");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (B_001_null_storage_type),
    cmocka_unit_test (B_002_null_parameters),
    cmocka_unit_test (B_003_version),
    cmocka_unit_test (B_004_version_2_has_no_mask),
    cmocka_unit_test (B_005_mask),
    cmocka_unit_test (B_006_default_block_size),
    cmocka_unit_test (B_007_block_sizes),
    cmocka_unit_test (B_008_other_block_sizes),
    cmocka_unit_test (B_009_smallest_disk),
    cmocka_unit_test (B_010_unaligned_size),
    cmocka_unit_test (B_011_sector_size),
    cmocka_unit_test (B_012_type_by_flag),
    cmocka_unit_test (B_013_other_flags),
    cmocka_unit_test (B_015_no_handle_on_failure),
    cmocka_unit_test (B_017_random_ids),
    cmocka_unit_test (B_018_given_id),
    cmocka_unit_test (B_019_parent_and_source),
    cmocka_unit_test (B_020_parent_and_size),
    cmocka_unit_test (B_021_parent_and_full_allocation),
    cmocka_unit_test (B_025_largest_disk),
    cmocka_unit_test (B_026_fixed_has_no_blocks),
    cmocka_unit_test (B_029_first_mistake_first),
    cmocka_unit_test (B_030_other_types),
    cmocka_unit_test (B_031_type_by_name),
    cmocka_unit_test (source_options_of_another_version),
  };

  return cmocka_run_group_tests (tests, make_temp_dir, remove_temp_dir);
}
