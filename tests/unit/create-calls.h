/* vhdkit tests: calls of vhdkit_create.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Include after unit.h.  Names are those of files in the test's folder.
 */
#ifndef CREATE_CALLS_H
#define CREATE_CALLS_H

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define KiB UINT64_C (1024)
#define MiB (1024 * KiB)
#define GiB (1024 * MiB)
#define MAX_SIZE (2040 * GiB)
#define FULL VHDKIT_CREATE_FLAG_FULL_PHYSICAL_ALLOCATION

static const struct vhdkit_storage_type type_vhd = {
  VHDKIT_DEVICE_VHD, VHDKIT_VENDOR_MICROSOFT
};

/* A dynamic disk of 4 MiB. */
static inline struct vhdkit_create_parameters
parameters (void)
{
  return (struct vhdkit_create_parameters) {
    .struct_size = sizeof (struct vhdkit_create_parameters),
    .version = 1, .storage_type = &type_vhd,
    .access_mask = VHDKIT_ACCESS_ALL, .maximum_size = 4 * MiB,
  };
}

static inline struct vhdkit_create_parameters
fixed_parameters (void)
{
  struct vhdkit_create_parameters p = parameters ();

  p.flags = FULL;
  return p;
}

/* parent: a path that lives as long as the result. */
static inline struct vhdkit_create_parameters
child_parameters (const char *parent)
{
  struct vhdkit_create_parameters p = parameters ();

  p.maximum_size = 0;
  p.parent_path = parent;
  return p;
}

static inline void
assert_absent (const char *name)
{
  struct stat st;

  assert_int_equal (lstat (temp_path (name), &st), -1);
  assert_int_equal (errno, ENOENT);
}

/* The new disk, open; an older file goes. */
static inline vhdkit_disk *
create_open (const char *name, const struct vhdkit_create_parameters *p)
{
  vhdkit_disk *disk = NULL;

  unlink (temp_path (name));
  assert_ok (vhdkit_create (temp_path (name), p, NULL, &disk));
  assert_non_null (disk);
  return disk;
}

static inline void
create_ok (const char *name, const struct vhdkit_create_parameters *p)
{
  assert_ok (vhdkit_close (create_open (name, p)));
}

/* Refused with this code and all these words; no file, no handle, no task.  An
 * older file goes. */
#define create_refused(name, p, code, ...)                              \
  do {                                                                  \
    vhdkit_disk *disk_ = (vhdkit_disk *) &disk_;                        \
    vhdkit_task *task_ = (vhdkit_task *) &task_;                        \
    size_t tasks_ = vhdkit_tasks_count (NULL);                          \
                                                                        \
    unlink (temp_path (name));                                          \
    assert_int_equal (vhdkit_create (temp_path (name), p, NULL,         \
                                     &disk_), -1);                      \
    assert_last_error (code, __VA_ARGS__);                              \
    assert_absent (name);                                               \
    assert_ptr_equal (disk_, &disk_);                                   \
    assert_int_equal (vhdkit_create (temp_path (name), p, &task_,       \
                                     &disk_), -1);                      \
    assert_last_error (code, __VA_ARGS__);                              \
    assert_ptr_equal (task_, &task_);                                   \
    assert_ptr_equal (disk_, &disk_);                                   \
    assert_int_equal (vhdkit_tasks_count (NULL), tasks_);               \
  } while (0)

#define create_invalid(name, p, ...)                                    \
  do {                                                                  \
    create_refused (name, p, VHDKIT_ERR_INVALID_PARAMETER, __VA_ARGS__); \
    assert_int_equal (vhdkit_error_win32 (vhdkit_get_error_code ()), 87); \
  } while (0)

static inline vhdkit_disk *
open_disk (const char *name, uint32_t flags)
{
  vhdkit_disk *disk = NULL;

  assert_ok (vhdkit_open (temp_path (name), VHDKIT_ACCESS_GET_INFO, flags,
                          NULL, &disk));
  return disk;
}

static inline void
get_info (vhdkit_disk *disk, enum vhdkit_info_class info_class, void *buf,
          size_t size)
{
  size_t len = size;

  assert_ok (vhdkit_get_info (disk, info_class, buf, &len));
  assert_int_equal (len, size);
}

static inline uint32_t
info_number (vhdkit_disk *disk, enum vhdkit_info_class info_class)
{
  uint32_t n;

  get_info (disk, info_class, &n, sizeof n);
  return n;
}

static inline struct vhdkit_info_size
info_size (vhdkit_disk *disk)
{
  struct vhdkit_info_size s;

  get_info (disk, VHDKIT_INFO_SIZE, &s, sizeof s);
  return s;
}

static inline void
info_id (vhdkit_disk *disk, enum vhdkit_info_class info_class, uint8_t id[16])
{
  get_info (disk, info_class, id, 16);
}

/* Reads as this byte everywhere. */
static inline void
assert_reads (vhdkit_disk *disk, int byte)
{
  const uint64_t size = vhdkit_size (disk);
  uint8_t *buf = malloc (MiB), *same = malloc (MiB);
  uint64_t at, n;

  assert_non_null (buf);
  assert_non_null (same);
  memset (same, byte, MiB);
  for (at = 0; at < size; at += n) {
    n = size - at < MiB ? size - at : MiB;
    assert_ok (vhdkit_pread (disk, buf, n, at));
    assert_memory_equal (buf, same, n);
  }
  free (buf);
  free (same);
}

#endif
