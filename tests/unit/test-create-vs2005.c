/* vhdkit tests: the create methods of Virtual Server 2005.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Each test named B_nnn is a behaviour of docs/windows-map.md, which is made
 * from the comments "B-nnn:" here.  H is the HRESULT.
 */
#include <config.h>

#include "unit.h"
#include "create-calls.h"
#include "refuse-openat.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#define STRICT VHDKIT_HOST_STRICT
#define MAX_MB 2088960

/*----------------------------------------------------------------------
 * A file system that is as full as told, and fails as told.  The program's own
 * functions go before those of the C library.
 *--------------------------------------------------------------------*/

static uint64_t free_bytes = UINT64_MAX;        /* UINT64_MAX: as it is */

int
fstatvfs (int fd, struct statvfs *v)
{
  char path[64];
  int r;

  snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  r = statvfs (path, v);
  if (r == 0 && free_bytes != UINT64_MAX) {
    v->f_blocks = UINT64_C (1) << 30;
    v->f_frsize = v->f_bsize = 4096;
    v->f_bfree = v->f_bavail = free_bytes / 4096;
  }
  return r;
}

/*----------------------------------------------------------------------
 * Calls
 *--------------------------------------------------------------------*/

enum method { FIXED, DYNAMIC, DIFF };

static vhdkit_context *context;         /* NULL: the default one */

/* A size or, for DIFF, a parent. */
static int
call (enum method method, const char *path, int64_t size, const char *parent,
      uint32_t flags, vhdkit_task **ret_task)
{
  switch (method) {
  case FIXED:
    return vhdkit_create_fixed_mb (context, path, size, flags, ret_task);
  case DYNAMIC:
    return vhdkit_create_dynamic_mb (context, path, size, flags, ret_task);
  default:
    return vhdkit_create_diff (context, path, parent, flags, ret_task);
  }
}

static uint32_t
last_hresult (void)
{
  return vhdkit_error_hresult (vhdkit_get_error_code ());
}

/* The error of the task, which must have been made. */
static enum vhdkit_error
task_error_of (enum method method, const char *path, int64_t size,
               const char *parent, uint32_t flags)
{
  enum vhdkit_error code;
  vhdkit_task *task = NULL;

  assert_ok (call (method, path, size, parent, flags, &task));
  assert_non_null (task);
  assert_ok (vhdkit_task_wait (task, -1));
  code = vhdkit_task_error (task);
  if (code != VHDKIT_OK)
    assert_int_equal (vhdkit_get_error_code (), code);
  vhdkit_task_free (task);
  return code;
}

#define made(method, path, size, parent, flags)                         \
  assert_int_equal (task_error_of (method, path, size, parent, flags),  \
                    VHDKIT_OK)

/* Refused at the call, and no task. */
#define refused(method, path, size, parent, flags, code, hresult)       \
  do {                                                                  \
    vhdkit_task *task_ = (vhdkit_task *) &task_;                        \
    size_t tasks_ = vhdkit_tasks_count (context);                       \
                                                                        \
    assert_int_equal (call (method, path, size, parent, flags, &task_), \
                      -1);                                              \
    assert_last_error (code, "");                                       \
    assert_int_equal (last_hresult (), hresult);                        \
    assert_ptr_equal (task_, &task_);                                   \
    assert_int_equal (vhdkit_tasks_count (context), tasks_);            \
  } while (0)

/* temp_path () as a string that stays. */
static const char *
path_of (const char *name)
{
  static char path[64][600];
  static unsigned next;
  char *p = path[next++ % 64];

  snprintf (p, sizeof path[0], "%s", temp_path (name));
  return p;
}

static const char *
new_path (const char *name)
{
  unlink (temp_path (name));
  return path_of (name);
}

static const char *
new_parent (void)
{
  struct vhdkit_create_parameters p = parameters ();

  create_ok ("parent.vhd", &p);
  return path_of ("parent.vhd");
}

static uint64_t
size_in_guest (const char *name)
{
  vhdkit_disk *disk = open_disk (name, 0);
  uint64_t size = vhdkit_size (disk);

  assert_ok (vhdkit_close (disk));
  return size;
}

static void
for_each_method (void (*test) (enum method, uint32_t))
{
  enum method m;

  for (m = FIXED; m <= DIFF; m++) {
    test (m, 0);
    test (m, STRICT);
  }
}

/*----------------------------------------------------------------------
 * Arguments
 *--------------------------------------------------------------------*/

static void
null_pointers (enum method m, uint32_t flags)
{
  const char *path = new_path ("new.vhd");

  refused (m, NULL, 10, path, flags, VHDKIT_ERR_NULL_POINTER, 0x80004003);
  assert_int_equal (call (m, path, 10, path, flags, NULL), -1);
  assert_last_error (VHDKIT_ERR_NULL_POINTER, "ret_task");
  if (m == DIFF)
    refused (m, path, 0, NULL, flags, VHDKIT_ERR_NULL_POINTER, 0x80004003);
  assert_absent ("new.vhd");
}

/* B-057: a path or the pointer to the task is NULL: NULL_POINTER (H 80004003)
 */
static void
B_057_null_pointers (void **state)
{
  (void) state;
  for_each_method (null_pointers);
}

static void
size_is (enum method m, int64_t size, enum vhdkit_error code, uint32_t hresult)
{
  const char *path = new_path ("new.vhd");

  refused (m, path, size, NULL, 0, code, hresult);
  refused (m, path, size, NULL, STRICT, code, hresult);
  assert_absent ("new.vhd");
}

/* B-058: a size of 0 or less: INVALID_PARAMETER (H 80070057) */
static void
B_058_no_size (void **state)
{
  enum method m;

  (void) state;
  for (m = FIXED; m <= DYNAMIC; m++) {
    size_is (m, 0, VHDKIT_ERR_INVALID_PARAMETER, 0x80070057);
    size_is (m, -1, VHDKIT_ERR_INVALID_PARAMETER, 0x80070057);
    size_is (m, INT64_MIN, VHDKIT_ERR_INVALID_PARAMETER, 0x80070057);
  }
}

/* B-059: 1 and 2 MB: SIZE_TOO_SMALL (H A0040684); 3 MB is a disk of 3 MiB */
static void
B_059_small_size (void **state)
{
  enum method m;

  (void) state;
  for (m = FIXED; m <= DYNAMIC; m++) {
    size_is (m, 1, VHDKIT_ERR_SIZE_TOO_SMALL, 0xa0040684);
    size_is (m, 2, VHDKIT_ERR_SIZE_TOO_SMALL, 0xa0040684);
    made (m, new_path ("new.vhd"), 3, NULL, 0);
    assert_int_equal (size_in_guest ("new.vhd"), 3 * MiB);
  }
}

/* B-060: 2,088,960 MB is possible, 2,088,961: SIZE_TOO_LARGE (H A0040683) */
static void
B_060_large_size (void **state)
{
  enum method m;

  (void) state;
  made (DYNAMIC, new_path ("new.vhd"), MAX_MB, NULL, 0);
  assert_int_equal (size_in_guest ("new.vhd"), MAX_SIZE);
  made (FIXED, new_path ("new.vhd"), MAX_MB, NULL, VHDKIT_HOST_SPARSE);
  assert_int_equal (size_in_guest ("new.vhd"), MAX_SIZE);
  for (m = FIXED; m <= DYNAMIC; m++) {
    size_is (m, MAX_MB + 1, VHDKIT_ERR_SIZE_TOO_LARGE, 0xa0040683);
    size_is (m, INT64_MAX, VHDKIT_ERR_SIZE_TOO_LARGE, 0xa0040683);
  }
}

/* B-061: the size is in megabytes: 20 is 20,971,520 bytes in the guest */
static void
B_061_megabytes (void **state)
{
  (void) state;
  made (FIXED, new_path ("new.vhd"), 20, NULL, 0);
  assert_int_equal (size_in_guest ("new.vhd"), 20971520);
  made (DYNAMIC, new_path ("new.vhd"), 20, NULL, STRICT);
  assert_int_equal (size_in_guest ("new.vhd"), 20971520);
}

/*----------------------------------------------------------------------
 * Folders
 *--------------------------------------------------------------------*/

static void
missing_folder (enum method m, uint32_t flags)
{
  made (m, new_path ("folder/new.vhd"), 4, new_parent (), flags);
  assert_int_equal (unlink (temp_path ("folder/new.vhd")), 0);
  assert_int_equal (rmdir (temp_path ("folder")), 0);
}

/* B-062: the folder of the image is made if it is missing */
static void
B_062_missing_folder (void **state)
{
  (void) state;
  for_each_method (missing_folder);
}

static void
missing_two_folders (enum method m, uint32_t flags)
{
  const char *parent = new_parent ();

  refused (m, path_of ("f1/f2/new.vhd"), 4, parent, flags,
           VHDKIT_ERR_PATH_NOT_FOUND, 0x80070003);
  assert_absent ("f1");
  made (m, path_of ("f1/f2/f3/new.vhd"), 4, parent,
        flags | VHDKIT_HOST_CREATE_FOLDERS);
  assert_int_equal (unlink (temp_path ("f1/f2/f3/new.vhd")), 0);
  assert_int_equal (rmdir (temp_path ("f1/f2/f3")), 0);
  assert_int_equal (rmdir (temp_path ("f1/f2")), 0);
  assert_int_equal (rmdir (temp_path ("f1")), 0);
}

/* B-063: its folder is missing too: PATH_NOT_FOUND (H 80070003), nothing is
 * made; all are where it is asked for */
static void
B_063_missing_folders (void **state)
{
  (void) state;
  for_each_method (missing_two_folders);
}

/* B-064: a folder that was made is removed if the image cannot be made */
static void
B_064_folder_removed (void **state)
{
  (void) state;
  refused (DIFF, path_of ("f1/new.vhd"), 0, path_of ("no parent"), 0,
           VHDKIT_ERR_PATH_NOT_FOUND, 0x80070003);
  assert_absent ("f1");
  refused (DIFF, path_of ("f1/f2/f3/new.vhd"), 0, path_of ("no parent"),
           VHDKIT_HOST_CREATE_FOLDERS, VHDKIT_ERR_PATH_NOT_FOUND, 0x80070003);
  assert_absent ("f1");
  /* In the task. */
  openat_flags = O_RDWR;
  openat_error = EACCES;
  assert_int_equal (task_error_of (DYNAMIC, path_of ("f1/new.vhd"), 4, NULL,
                                   0), VHDKIT_ERR_ACCESS_DENIED);
  openat_error = 0;
  assert_absent ("f1");
  /* Not one that was there. */
  assert_int_equal (mkdir (temp_path ("f1"), 0777), 0);
  refused (DIFF, path_of ("f1/new.vhd"), 0, path_of ("no parent"), 0,
           VHDKIT_ERR_PATH_NOT_FOUND, 0x80070003);
  assert_int_equal (rmdir (temp_path ("f1")), 0);
}

/*----------------------------------------------------------------------
 * Names
 *--------------------------------------------------------------------*/

/* B-065: STRICT: each of the characters that Windows forbids, and a backslash,
 * in either path: INVALID_NAME (H 8007007B); else they are possible */
static void
B_065_forbidden_characters (void **state)
{
  static const char forbidden[] = "*?:<>|\"\\";
  const char *parent = new_parent (), *path;
  char name[] = "ne.w.vhd";
  enum method m;
  size_t i;

  (void) state;
  for (i = 0; forbidden[i]; i++) {
    name[2] = forbidden[i];
    path = new_path (name);
    for (m = FIXED; m <= DIFF; m++) {
      refused (m, path, 4, parent, STRICT, VHDKIT_ERR_INVALID_NAME,
               0x8007007b);
      assert_absent (name);
      made (m, path, 4, parent, 0);
      unlink (path);
    }
    refused (DIFF, new_path ("new.vhd"), 0, path, STRICT,
             VHDKIT_ERR_INVALID_NAME, 0x8007007b);
    made (DYNAMIC, path, 4, NULL, 0);
    /* A backslash in the parent's name cannot be recorded. */
    if (forbidden[i] != '\\')
      made (DIFF, new_path ("new.vhd"), 0, path, 0);
  }
  refused (DYNAMIC, new_path ("\xff.vhd"), 4, NULL, STRICT,
           VHDKIT_ERR_INVALID_NAME, 0x8007007b);
  made (DYNAMIC, new_path ("\xff.vhd"), 4, NULL, 0);
}

static void
empty_path (enum method m, uint32_t flags)
{
  const char *parent = new_parent ();

  refused (m, "", 4, parent, flags, VHDKIT_ERR_BAD_PATHNAME, 0x800700a1);
  if (m == DIFF)
    refused (m, new_path ("new.vhd"), 4, "", flags, VHDKIT_ERR_BAD_PATHNAME,
             0x800700a1);
}

/* B-066: an empty path: BAD_PATHNAME (H 800700A1) */
static void
B_066_empty_path (void **state)
{
  (void) state;
  for_each_method (empty_path);
}

/* With temp_dir as the working directory. */
static char old_directory[4096];

static void
enter_temp_dir (void)
{
  assert_non_null (getcwd (old_directory, sizeof old_directory));
  assert_int_equal (chdir (temp_dir), 0);
}

static void
leave_temp_dir (void)
{
  assert_int_equal (chdir (old_directory), 0);
}

/* B-067: STRICT: a relative path: BAD_PATHNAME (H 800700A1); else it is meant
 * from the working directory on */
static void
B_067_relative_path (void **state)
{
  enum method m;

  (void) state;
  new_path ("new.vhd");
  enter_temp_dir ();
  for (m = FIXED; m <= DYNAMIC; m++) {
    refused (m, "new.vhd", 4, NULL, STRICT, VHDKIT_ERR_BAD_PATHNAME,
             0x800700a1);
    refused (m, "./new.vhd", 4, NULL, STRICT, VHDKIT_ERR_BAD_PATHNAME,
             0x800700a1);
    assert_absent ("new.vhd");
    made (m, "new.vhd", 4, NULL, 0);
    assert_int_equal (unlink (temp_path ("new.vhd")), 0);
  }
  leave_temp_dir ();
}

/* An absolute path of so many characters, in UTF-16: folders of names that no
 * file system minds, one of them not ASCII. */
static const char *
long_path (size_t length)
{
  static char path[4][1200];
  static unsigned next;
  char *p = path[next++ % 4];
  size_t n = strlen (temp_dir);

  memcpy (p, temp_dir, n);
  memcpy (p + n, "/\xc3\xa4", 3);       /* one character, two bytes */
  memset (p + n + 3, 'x', length - n - 2 - 4);
  strcpy (p + length + 1 - 4, ".vhd");
  return p;
}

/* B-068: STRICT: 259 characters are possible, 260: NAME_TOO_LONG (H 8007006F),
 * in either path */
static void
B_068_long_path (void **state)
{
  const char *ok = long_path (259), *longer = long_path (260);
  const char *parent = new_parent ();
  enum method m;

  (void) state;
  if (strlen (temp_dir) > 200 || strlen (temp_dir) < 10)
    skip ();
  for (m = FIXED; m <= DIFF; m++) {
    refused (m, longer, 4, parent, STRICT, VHDKIT_ERR_NAME_TOO_LONG,
             0x8007006f);
    made (m, ok, 4, parent, STRICT);
    assert_int_equal (unlink (ok), 0);
    made (m, longer, 4, parent, 0);
    assert_int_equal (unlink (longer), 0);
  }
  made (DYNAMIC, longer, 4, NULL, 0);
  refused (DIFF, new_path ("new.vhd"), 0, longer, STRICT,
           VHDKIT_ERR_NAME_TOO_LONG, 0x8007006f);
  made (DYNAMIC, ok, 4, NULL, 0);
  made (DIFF, new_path ("new.vhd"), 0, ok, STRICT);
  unlink (ok);
  unlink (longer);
  refused (DYNAMIC, long_path (600), 4, NULL, 0, VHDKIT_ERR_NAME_TOO_LONG,
           0x8007006f);
}

/*----------------------------------------------------------------------
 * What is there, and what is not
 *--------------------------------------------------------------------*/

static void
existing_image (enum method m, uint32_t flags)
{
  int fd = open (temp_path ("there.vhd"), O_WRONLY | O_CREAT, 0666);
  char text[5];

  assert_int_equal (pwrite (fd, "hello", 5, 0), 5);
  close (fd);
  refused (m, path_of ("there.vhd"), 4, new_parent (), flags,
           VHDKIT_ERR_EXISTS, 0x800700b7);
  fd = open (temp_path ("there.vhd"), O_RDONLY);
  assert_int_equal (read (fd, text, 5), 5);
  close (fd);
  assert_memory_equal (text, "hello", 5);
}

/* B-069: the image exists: EXISTS (H 800700B7), and stays as it is */
static void
B_069_existing_image (void **state)
{
  (void) state;
  for_each_method (existing_image);
}

/* B-070: STRICT: less than 8 MiB free (fixed: than the disk takes): DISK_FULL
 * (H 80070070), before there is a file */
static void
B_070_little_space (void **state)
{
  const char *parent = new_parent ();

  (void) state;
  new_path ("new.vhd");
  free_bytes = 8 * MiB - 4096;
  refused (DYNAMIC, path_of ("new.vhd"), 4, NULL, STRICT, VHDKIT_ERR_DISK_FULL,
           0x80070070);
  refused (DIFF, path_of ("new.vhd"), 0, parent, STRICT, VHDKIT_ERR_DISK_FULL,
           0x80070070);
  made (DYNAMIC, path_of ("new.vhd"), 4, NULL, 0);
  free_bytes = 8 * MiB;
  made (DYNAMIC, new_path ("new.vhd"), 100, NULL, STRICT);
  refused (FIXED, new_path ("new.vhd"), 8, NULL, STRICT, VHDKIT_ERR_DISK_FULL,
           0x80070070);
  /* Without STRICT it is found out when it happens. */
  assert_int_equal (task_error_of (FIXED, path_of ("new.vhd"), 8, NULL, 0),
                    VHDKIT_ERR_DISK_FULL);
  made (FIXED, new_path ("new.vhd"), 7, NULL, STRICT);
  free_bytes = UINT64_MAX;
}

/* B-071: a file system that cannot hold the image when it has grown (FAT: 4
 * GiB - 1, here played by a limit): FILE_TOO_LARGE_FOR_FS (H A0040679) */
static void
B_071_file_too_large (void **state)
{
  struct rlimit old, limit;
  uint32_t flags;

  (void) state;
  new_path ("new.vhd");
  signal (SIGXFSZ, SIG_DFL);
  assert_int_equal (getrlimit (RLIMIT_FSIZE, &old), 0);
  limit = old;
  limit.rlim_cur = 4 * GiB - 1;
  assert_int_equal (setrlimit (RLIMIT_FSIZE, &limit), 0);
  for (flags = 0; flags <= STRICT; flags += STRICT) {
    refused (DYNAMIC, path_of ("new.vhd"), 8192, NULL, flags,
             VHDKIT_ERR_FILE_TOO_LARGE_FOR_FS, 0xa0040679);
    refused (FIXED, path_of ("new.vhd"), 8192, NULL,
             flags | VHDKIT_HOST_SPARSE, VHDKIT_ERR_FILE_TOO_LARGE_FOR_FS,
             0xa0040679);
    refused (FIXED, path_of ("new.vhd"), 4096, NULL,
             flags | VHDKIT_HOST_SPARSE, VHDKIT_ERR_FILE_TOO_LARGE_FOR_FS,
             0xa0040679);
    assert_absent ("new.vhd");
    made (FIXED, new_path ("new.vhd"), 4095, NULL,
          flags | VHDKIT_HOST_SPARSE);
    made (DYNAMIC, new_path ("new.vhd"), 4000, NULL, flags);
    unlink (temp_path ("new.vhd"));
  }
  assert_int_equal (setrlimit (RLIMIT_FSIZE, &old), 0);
  made (DYNAMIC, new_path ("new.vhd"), 8192, NULL, STRICT);
}

static void
shutting_down (enum method m, uint32_t flags)
{
  refused (m, path_of ("folder2/new.vhd"), 4, new_parent (), flags,
           VHDKIT_ERR_SHUTTING_DOWN, 0xa0040209);
  assert_absent ("folder2");
  /* Last of all checks. */
  if (m != DIFF)
    refused (m, path_of ("new.vhd"), 1, NULL, flags,
             VHDKIT_ERR_SIZE_TOO_SMALL, 0xa0040684);
}

/* B-072: the context is shutting down: SHUTTING_DOWN (H A0040209) */
static void
B_072_shutting_down (void **state)
{
  (void) state;
  assert_ok (vhdkit_context_new (NULL, &context));
  vhdkit_context_shutdown (context);
  for_each_method (shutting_down);
  vhdkit_context_free (context);
  context = NULL;
}

/*----------------------------------------------------------------------
 * Two paths
 *--------------------------------------------------------------------*/

/* B-073: differencing: a relative parent is looked for from the folder of the
 * image on */
static void
B_073_relative_parent (void **state)
{
  uint32_t flags;

  (void) state;
  new_parent ();
  mkdir (temp_path ("d1"), 0777);
  for (flags = 0; flags <= STRICT; flags += STRICT) {
    made (DIFF, new_path ("new.vhd"), 0, "parent.vhd", flags);
    assert_int_equal (size_in_guest ("new.vhd"), 4 * MiB);
    made (DIFF, new_path ("d1/new.vhd"), 0, "../parent.vhd", flags);
    assert_int_equal (size_in_guest ("d1/new.vhd"), 4 * MiB);
    refused (DIFF, new_path ("d1/new.vhd"), 0, "parent.vhd", flags,
             VHDKIT_ERR_PATH_NOT_FOUND, 0x80070003);
  }
}

/* B-074: differencing: a relative image is made from the folder of the parent
 * on */
static void
B_074_relative_image (void **state)
{
  uint32_t flags;

  (void) state;
  new_parent ();
  mkdir (temp_path ("d1"), 0777);
  for (flags = 0; flags <= STRICT; flags += STRICT) {
    new_path ("new.vhd");
    made (DIFF, "new.vhd", 0, path_of ("parent.vhd"), flags);
    assert_int_equal (size_in_guest ("new.vhd"), 4 * MiB);
    new_path ("d1/new.vhd");
    made (DIFF, "d1/new.vhd", 0, path_of ("parent.vhd"), flags);
    assert_int_equal (size_in_guest ("d1/new.vhd"), 4 * MiB);
  }
}

/* B-075: differencing, STRICT: both relative, or both empty: BAD_PATHNAME (H
 * 800700A1); else two relative ones are meant from the working directory on */
static void
B_075_both_relative (void **state)
{
  (void) state;
  new_parent ();
  new_path ("new.vhd");
  enter_temp_dir ();
  refused (DIFF, "new.vhd", 0, "parent.vhd", STRICT, VHDKIT_ERR_BAD_PATHNAME,
           0x800700a1);
  refused (DIFF, "", 0, "", STRICT, VHDKIT_ERR_BAD_PATHNAME, 0x800700a1);
  refused (DIFF, "", 0, "", 0, VHDKIT_ERR_BAD_PATHNAME, 0x800700a1);
  assert_absent ("new.vhd");
  made (DIFF, "new.vhd", 0, "parent.vhd", 0);
  leave_temp_dir ();
  assert_int_equal (size_in_guest ("new.vhd"), 4 * MiB);
}

/* B-076: the parent is missing: PATH_NOT_FOUND (H 80070003), no image */
static void
B_076_missing_parent (void **state)
{
  uint32_t flags;

  (void) state;
  for (flags = 0; flags <= STRICT; flags += STRICT) {
    refused (DIFF, new_path ("new.vhd"), 0, path_of ("absent.vhd"), flags,
             VHDKIT_ERR_PATH_NOT_FOUND, 0x80070003);
    refused (DIFF, new_path ("new.vhd"), 0, path_of ("absent/parent.vhd"),
             flags, VHDKIT_ERR_PATH_NOT_FOUND, 0x80070003);
    assert_absent ("new.vhd");
  }
}

/*----------------------------------------------------------------------
 * Tasks
 *--------------------------------------------------------------------*/

/* B-078: what no rule foresees: UNEXPECTED (H 80020009) */
static void
B_078_unexpected (void **state)
{
  const char *path = new_path ("new.vhd");

  (void) state;
  openat_flags = O_RDWR;
  openat_error = EINVAL;
  assert_int_equal (task_error_of (DYNAMIC, path, 4, NULL, 0),
                    VHDKIT_ERR_UNEXPECTED);
  openat_error = 0;
  assert_int_equal (last_hresult (), 0x80020009);
  assert_absent ("new.vhd");
}

/* B-079: what is refused at the call makes no task */
static void
B_079_no_task (void **state)
{
  (void) state;
  /* The macro looks; in all other tests, too. */
  refused (DYNAMIC, new_path ("new.vhd"), 1, NULL, 0,
           VHDKIT_ERR_SIZE_TOO_SMALL, 0xa0040684);
  refused (DYNAMIC, new_path ("new.vhd"), 4, NULL, 0x40000000,
           VHDKIT_ERR_INVALID_PARAMETER, 0x80070057);
  refused (DYNAMIC, new_path ("new.vhd"), 4, NULL, VHDKIT_HOST_SPARSE,
           VHDKIT_ERR_INVALID_PARAMETER, 0x80070057);
}

/* The order that vhdkit.h gives: of several faults the first is told. */
static void
checks_come_in_order (void **state)
{
  const char *there = path_of ("there.vhd");

  (void) state;
  close (open (there, O_WRONLY | O_CREAT, 0666));
  refused (DYNAMIC, "", 0, NULL, STRICT, VHDKIT_ERR_INVALID_PARAMETER,
           0x80070057);
  refused (DYNAMIC, "a*b", 1, NULL, STRICT, VHDKIT_ERR_BAD_PATHNAME,
           0x800700a1);
  refused (DYNAMIC, "/a*b/c", 1, NULL, STRICT, VHDKIT_ERR_INVALID_NAME,
           0x8007007b);
  refused (DYNAMIC, long_path (300), 1, NULL, STRICT,
           VHDKIT_ERR_NAME_TOO_LONG, 0x8007006f);
  refused (DYNAMIC, path_of ("no/such/new.vhd"), 1, NULL, STRICT,
           VHDKIT_ERR_SIZE_TOO_SMALL, 0xa0040684);
  free_bytes = 0;
  refused (DYNAMIC, path_of ("no/such/new.vhd"), 4, NULL, STRICT,
           VHDKIT_ERR_PATH_NOT_FOUND, 0x80070003);
  refused (DYNAMIC, there, 4, NULL, STRICT, VHDKIT_ERR_EXISTS, 0x800700b7);
  refused (DIFF, there, 0, path_of ("absent.vhd"), STRICT, VHDKIT_ERR_EXISTS,
           0x800700b7);
  refused (DIFF, new_path ("new.vhd"), 0, path_of ("absent.vhd"), STRICT,
           VHDKIT_ERR_PATH_NOT_FOUND, 0x80070003);
  assert_ok (vhdkit_context_new (NULL, &context));
  vhdkit_context_shutdown (context);
  refused (DYNAMIC, new_path ("new.vhd"), 4, NULL, STRICT,
           VHDKIT_ERR_DISK_FULL, 0x80070070);
  vhdkit_context_free (context);
  context = NULL;
  free_bytes = UINT64_MAX;
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (B_057_null_pointers),
    cmocka_unit_test (B_058_no_size),
    cmocka_unit_test (B_059_small_size),
    cmocka_unit_test (B_060_large_size),
    cmocka_unit_test (B_061_megabytes),
    cmocka_unit_test (B_062_missing_folder),
    cmocka_unit_test (B_063_missing_folders),
    cmocka_unit_test (B_064_folder_removed),
    cmocka_unit_test (B_065_forbidden_characters),
    cmocka_unit_test (B_066_empty_path),
    cmocka_unit_test (B_067_relative_path),
    cmocka_unit_test (B_068_long_path),
    cmocka_unit_test (B_069_existing_image),
    cmocka_unit_test (B_070_little_space),
    cmocka_unit_test (B_071_file_too_large),
    cmocka_unit_test (B_072_shutting_down),
    cmocka_unit_test (B_073_relative_parent),
    cmocka_unit_test (B_074_relative_image),
    cmocka_unit_test (B_075_both_relative),
    cmocka_unit_test (B_076_missing_parent),
    cmocka_unit_test (B_078_unexpected),
    cmocka_unit_test (B_079_no_task),
    cmocka_unit_test (checks_come_in_order),
  };

  return cmocka_run_group_tests (tests, make_temp_dir, remove_temp_dir);
}
