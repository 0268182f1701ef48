/* vhdkit tests: vhdkit_create and the file system it creates in.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Tests named B_nnn are behaviours of docs/windows-map.md, which is made from
 * the comments "B-nnn:" here.
 */
#include <config.h>

#include "unit.h"
#include "create-calls.h"
#include "refuse-openat.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>

/*----------------------------------------------------------------------
 * Permissions
 *--------------------------------------------------------------------*/

static mode_t
mode_of (const char *name)
{
  struct stat st;

  assert_int_equal (stat (temp_path (name), &st), 0);
  return st.st_mode & 07777;
}

/* The list of user 1000: rw, mask rw, others nothing, as bytes of the
 * extended attribute (version 2; tag, permissions, id; little-endian). */
static const uint8_t default_acl[] = {
  2, 0, 0, 0,
  0x01, 0, 6, 0, 0xff, 0xff, 0xff, 0xff,
  0x02, 0, 6, 0, 0xe8, 0x03, 0, 0,
  0x04, 0, 4, 0, 0xff, 0xff, 0xff, 0xff,
  0x10, 0, 6, 0, 0xff, 0xff, 0xff, 0xff,
  0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
};

/* Make a folder that hands its list to new files; skips where it cannot. */
static void
make_folder_with_acl (const char *name)
{
  mkdir (temp_path (name), 0777);
  if (setxattr (temp_path (name), "system.posix_acl_default", default_acl,
                sizeof default_acl, 0) == -1)
    skip ();
}

static ssize_t
acl_of (const char *name, uint8_t *buf, size_t size)
{
  return getxattr (temp_path (name), "system.posix_acl_access", buf, size);
}

/* B-014: without a security descriptor the mode is 0666 less the umask */
static void
B_014_inherited_mode (void **state)
{
  struct vhdkit_create_parameters p = parameters ();
  mode_t old = umask (027);

  (void) state;
  create_ok ("new.vhd", &p);
  assert_int_equal (mode_of ("new.vhd"), 0640);
  umask (0);
  create_ok ("new.vhd", &p);
  assert_int_equal (mode_of ("new.vhd"), 0666);
  umask (077);
  create_ok ("new.vhd", &p);
  umask (old);
  assert_int_equal (mode_of ("new.vhd"), 0600);
}

/* B-014: ... or what the default list of the folder says */
static void
B_014_inherited_acl (void **state)
{
  struct vhdkit_create_parameters p = parameters ();
  mode_t old = umask (077);
  uint8_t acl[100];

  (void) state;
  umask (old);
  make_folder_with_acl ("acl");
  umask (077);
  create_ok ("acl/new.vhd", &p);
  umask (old);
  assert_int_equal (acl_of ("acl/new.vhd", acl, sizeof acl),
                    sizeof default_acl);
  assert_memory_equal (acl, default_acl, sizeof default_acl);
}

static void
a_given_mode_is_the_mode (void **state)
{
  static const uint32_t modes[] = { 0600, 0640, 0444, 0666, 0000, 0750 };
  struct vhdkit_security s = { .set = VHDKIT_SECURITY_MODE };
  struct vhdkit_create_parameters p = parameters ();
  size_t i;

  (void) state;
  p.security = &s;
  for (i = 0; i < sizeof modes / sizeof modes[0]; i++) {
    s.mode = modes[i];
    /* Others cannot open what they may not read. */
    if (geteuid () != 0 && (s.mode & 0600) != 0600)
      continue;
    create_ok ("new.vhd", &p);
    assert_int_equal (mode_of ("new.vhd"), modes[i]);
  }
  s.mode = 010000;
  create_invalid ("new.vhd", &p, "mode");
  s.set = 0x100;
  create_invalid ("new.vhd", &p, "security");
}

/* The list of the folder is for those that give none. */
static void
a_given_mode_replaces_the_inherited_list (void **state)
{
  struct vhdkit_security s = { .set = VHDKIT_SECURITY_MODE, .mode = 0640 };
  struct vhdkit_create_parameters p = parameters ();
  uint8_t acl[100];

  (void) state;
  make_folder_with_acl ("acl2");
  p.security = &s;
  create_ok ("acl2/new.vhd", &p);
  assert_int_equal (mode_of ("acl2/new.vhd"), 0640);
  assert_int_equal (acl_of ("acl2/new.vhd", acl, sizeof acl), -1);
  assert_int_equal (errno, ENODATA);
}

static void
a_given_list_is_the_list (void **state)
{
  struct vhdkit_security s = {
    .set = VHDKIT_SECURITY_ACL | VHDKIT_SECURITY_MODE, .mode = 0640,
    .acl = "user:1000:rw,other::-,m::6",
  };
  struct vhdkit_create_parameters p = parameters ();
  uint8_t acl[100];

  (void) state;
  make_folder_with_acl ("acl3");        /* skips where there are no lists */
  p.security = &s;
  create_ok ("new.vhd", &p);
  assert_int_equal (acl_of ("new.vhd", acl, sizeof acl), sizeof default_acl);
  assert_memory_equal (acl, default_acl, sizeof default_acl);
  /* The mask that is needed. */
  s.acl = "u:1000:rw,o::---";
  create_ok ("new.vhd", &p);
  assert_int_equal (acl_of ("new.vhd", acl, sizeof acl), sizeof default_acl);
  assert_memory_equal (acl, default_acl, sizeof default_acl);
}

static void
impossible_lists_are_refused (void **state)
{
  static const char *const lists[] = {
    "u:1000", "x::rw", "u::rwxr", "u::8", "m:1000:rw", "u::", "garbage",
  };
  struct vhdkit_security s = { .set = VHDKIT_SECURITY_ACL };
  struct vhdkit_create_parameters p = parameters ();
  size_t i;

  (void) state;
  p.security = &s;
  create_invalid ("new.vhd", &p, "no acl");
  for (i = 0; i < sizeof lists / sizeof lists[0]; i++) {
    s.acl = lists[i];
    create_invalid ("new.vhd", &p, "acl", lists[i]);
  }
  s.acl = "u:no such user here:rw";
  create_refused ("new.vhd", &p, VHDKIT_ERR_INVALID_NAME, "no user");
  s.acl = "g:5000000000:rw";
  create_refused ("new.vhd", &p, VHDKIT_ERR_INVALID_NAME, "number");
}

static void
owner_and_group_are_set (void **state)
{
  struct vhdkit_security s = {
    .set = VHDKIT_SECURITY_OWNER | VHDKIT_SECURITY_GROUP
      | VHDKIT_SECURITY_MODE,
    .owner = 1234, .group = 2345, .mode = 0460,
  };
  struct vhdkit_create_parameters p = parameters ();
  struct stat st;

  (void) state;
  p.security = &s;
  if (geteuid () != 0) {
    vhdkit_disk *disk;

    unlink (temp_path ("new.vhd"));
    assert_int_equal (vhdkit_create (temp_path ("new.vhd"), &p, NULL, &disk),
                      -1);
    assert_last_error (VHDKIT_ERR_ACCESS_DENIED, "1234");
    assert_absent ("new.vhd");
    return;
  }
  create_ok ("new.vhd", &p);
  assert_int_equal (stat (temp_path ("new.vhd"), &st), 0);
  assert_int_equal (st.st_uid, 1234);
  assert_int_equal (st.st_gid, 2345);
  assert_int_equal (st.st_mode & 07777, 0460);
}

/*----------------------------------------------------------------------
 * What is there already
 *--------------------------------------------------------------------*/

static void
assert_exists_code (const char *name)
{
  struct vhdkit_create_parameters p = parameters ();
  struct stat before, after;
  vhdkit_disk *disk = NULL;

  assert_int_equal (lstat (temp_path (name), &before), 0);
  assert_int_equal (vhdkit_create (temp_path (name), &p, NULL, &disk), -1);
  assert_last_error (VHDKIT_ERR_EXISTS, name);
  assert_int_equal (vhdkit_error_win32 (VHDKIT_ERR_EXISTS), 80);
  assert_null (disk);
  assert_int_equal (lstat (temp_path (name), &after), 0);
  assert_int_equal (before.st_ino, after.st_ino);
  assert_int_equal (before.st_mode, after.st_mode);
  assert_int_equal (before.st_size, after.st_size);
  assert_memory_equal (&before.st_mtim, &after.st_mtim, sizeof before.st_mtim);
}

/* B-016: what has the name already, of whatever kind, is not touched: EXISTS
 * (Win32 80) */
static void
B_016_existing_path (void **state)
{
  int fd = open (temp_path ("file"), O_WRONLY | O_CREAT, 0444);

  (void) state;
  assert_int_equal (write (fd, "hello", 5), 5);
  close (fd);
  assert_exists_code ("file");
  assert_int_equal (mkdir (temp_path ("folder"), 0777), 0);
  assert_exists_code ("folder");
  assert_int_equal (mkfifo (temp_path ("fifo"), 0666), 0);
  assert_exists_code ("fifo");
  assert_int_equal (symlink ("nowhere", temp_path ("dangling")), 0);
  assert_exists_code ("dangling");
  assert_absent ("nowhere");
  assert_int_equal (symlink ("file", temp_path ("link")), 0);
  assert_exists_code ("link");
}

/*----------------------------------------------------------------------
 * The recipes
 *--------------------------------------------------------------------*/

static uint64_t
length_of (const char *name, uint64_t *ret_allocated)
{
  struct stat st;

  assert_int_equal (stat (temp_path (name), &st), 0);
  *ret_allocated = (uint64_t) st.st_blocks * 512;
  return st.st_size;
}

/* B-022: a fixed disk: its file is as large as the disk, it reads as zeros */
static void
B_022_fixed_recipe (void **state)
{
  struct vhdkit_create_parameters p = fixed_parameters ();
  uint64_t allocated;
  vhdkit_disk *disk;

  (void) state;
  p.maximum_size = 10 * MiB;
  disk = create_open ("new.vhd", &p);
  assert_int_equal (vhdkit_size (disk), 10 * MiB);
  assert_reads (disk, 0);
  assert_ok (vhdkit_close (disk));
  assert_int_equal (length_of ("new.vhd", &allocated), 10 * MiB + 512);
}

/* B-023: a dynamic disk: its file stays small, it reads as zeros */
static void
B_023_dynamic_recipe (void **state)
{
  struct vhdkit_create_parameters p = parameters ();
  uint64_t allocated;
  vhdkit_disk *disk;

  (void) state;
  p.maximum_size = 100 * MiB;
  disk = create_open ("new.vhd", &p);
  assert_int_equal (vhdkit_size (disk), 100 * MiB);
  assert_reads (disk, 0);
  assert_ok (vhdkit_close (disk));
  assert_true (length_of ("new.vhd", &allocated) < 64 * KiB);
}

/* B-024: a differencing disk takes no size, it has that of its parent */
static void
B_024_differencing_recipe (void **state)
{
  struct vhdkit_create_parameters p = parameters ();
  char parent[300];
  vhdkit_disk *disk;

  (void) state;
  p.maximum_size = 100 * MiB + 512;
  create_ok ("parent.vhd", &p);
  snprintf (parent, sizeof parent, "%s", temp_path ("parent.vhd"));
  p = child_parameters (parent);
  disk = create_open ("child.vhd", &p);
  assert_int_equal (vhdkit_size (disk), 100 * MiB + 512);
  assert_int_equal (info_number (disk, VHDKIT_INFO_PROVIDER_SUBTYPE), 4);
  assert_ok (vhdkit_close (disk));
}

static uint64_t
free_space (void)
{
  struct statvfs v;

  assert_int_equal (statvfs (temp_dir, &v), 0);
  if (v.f_blocks == 0)
    skip ();
  return (uint64_t) v.f_bfree * v.f_frsize;
}

/* B-027: a dynamic disk may be larger than the space that is free */
static void
B_027_dynamic_beyond_free_space (void **state)
{
  struct vhdkit_create_parameters p = parameters ();

  (void) state;
  if (free_space () > MAX_SIZE)
    skip ();
  p.maximum_size = MAX_SIZE;
  create_ok ("new.vhd", &p);
}

/* B-028: a fixed one may not: DISK_FULL, no file */
static void
B_028_fixed_beyond_free_space (void **state)
{
  struct vhdkit_create_parameters p = fixed_parameters ();
  vhdkit_disk *disk = NULL;

  (void) state;
  if (free_space () > MAX_SIZE)
    skip ();
  unlink (temp_path ("new.vhd"));
  p.maximum_size = MAX_SIZE;
  assert_int_equal (vhdkit_create (temp_path ("new.vhd"), &p, NULL, &disk),
                    -1);
  assert_last_error (VHDKIT_ERR_DISK_FULL, "free");
  assert_null (disk);
  assert_absent ("new.vhd");
}

static void
folders_are_made_when_asked_for (void **state)
{
  struct vhdkit_create_parameters p = parameters ();

  (void) state;
  create_refused ("f1/new.vhd", &p, VHDKIT_ERR_PATH_NOT_FOUND, "f1");
  p.host_flags = VHDKIT_HOST_CREATE_FOLDER;
  create_ok ("f1/new.vhd", &p);
  create_refused ("f2/f3/new.vhd", &p, VHDKIT_ERR_PATH_NOT_FOUND, "f2");
  p.host_flags = VHDKIT_HOST_CREATE_FOLDERS;
  create_ok ("f2/f3/f4/f5/new.vhd", &p);
  assert_int_equal (symlink ("nowhere", temp_path ("f6")), 0);
  create_refused ("f6/new.vhd", &p, VHDKIT_ERR_PATH_NOT_FOUND, "f6");
}

/*----------------------------------------------------------------------
 * Limits of the process
 *--------------------------------------------------------------------*/

static struct rlimit
set_file_limit (uint64_t bytes)
{
  struct rlimit old, limit;

  assert_int_equal (getrlimit (RLIMIT_FSIZE, &old), 0);
  limit = old;
  limit.rlim_cur = bytes;
  assert_int_equal (setrlimit (RLIMIT_FSIZE, &limit), 0);
  return old;
}

/* The signal would end the process: it must not come. */
static void
a_file_size_limit_does_not_kill (void **state)
{
  struct vhdkit_create_parameters p = fixed_parameters ();
  struct rlimit old;
  vhdkit_disk *disk;
  sigset_t pending;
  int r;

  (void) state;
  signal (SIGXFSZ, SIG_DFL);
  p.maximum_size = 16 * MiB;
  unlink (temp_path ("new.vhd"));
  old = set_file_limit (4 * MiB);
  r = vhdkit_create (temp_path ("new.vhd"), &p, NULL, &disk);
  setrlimit (RLIMIT_FSIZE, &old);
  assert_int_equal (r, -1);
  assert_last_error (VHDKIT_ERR_FILE_TOO_LARGE_FOR_FS, "new.vhd");
  assert_absent ("new.vhd");
  sigpending (&pending);
  assert_false (sigismember (&pending, SIGXFSZ));
}

/* The same on a worker. */
static void
a_file_size_limit_does_not_kill_a_task (void **state)
{
  struct vhdkit_create_parameters p = fixed_parameters ();
  struct rlimit old;
  vhdkit_disk *disk;
  vhdkit_task *task;

  (void) state;
  signal (SIGXFSZ, SIG_DFL);
  p.maximum_size = 16 * MiB;
  unlink (temp_path ("new.vhd"));
  old = set_file_limit (4 * MiB);
  assert_ok (vhdkit_create (temp_path ("new.vhd"), &p, &task, &disk));
  assert_ok (vhdkit_task_wait (task, -1));
  setrlimit (RLIMIT_FSIZE, &old);
  assert_int_equal (vhdkit_task_error (task),
                    VHDKIT_ERR_FILE_TOO_LARGE_FOR_FS);
  assert_absent ("new.vhd");
  vhdkit_task_free (task);
}

/*----------------------------------------------------------------------
 * Compressed and encrypted places.  Real ones are in test-create-btrfs.sh and
 * test-create-fscrypt.sh; here the kernel is played.
 *--------------------------------------------------------------------*/

static int fake_flags;          /* of every file */

extern int ioctl (int fd, unsigned long request, ...);
int
ioctl (int fd, unsigned long request, ...)
{
  va_list args;
  void *arg;

  (void) fd;
  va_start (args, request);
  arg = va_arg (args, void *);
  va_end (args);
  if (request != FS_IOC_GETFLAGS) {
    errno = ENOTTY;
    return -1;
  }
  *(int *) arg = fake_flags;
  return 0;
}

/* B-032: a compressed or encrypted place: HOST_LIMITATION (C03A001A), no file;
 * it can be allowed */
static void
B_032_compressed_or_encrypted (void **state)
{
  struct vhdkit_create_parameters p = parameters ();

  (void) state;
  fake_flags = FS_COMPR_FL;
  create_refused ("new.vhd", &p, VHDKIT_ERR_HOST_LIMITATION, "compressed");
  p.host_flags = VHDKIT_HOST_ALLOW_ENCRYPTED;
  create_refused ("new.vhd", &p, VHDKIT_ERR_HOST_LIMITATION, "compressed");
  p.host_flags = VHDKIT_HOST_ALLOW_COMPRESSED;
  create_ok ("new.vhd", &p);
  fake_flags = FS_ENCRYPT_FL;
  create_refused ("new.vhd", &p, VHDKIT_ERR_HOST_LIMITATION, "encrypted");
  p.host_flags = VHDKIT_HOST_ALLOW_ENCRYPTED;
  create_ok ("new.vhd", &p);
  fake_flags = 0;
  assert_int_equal (vhdkit_error_win32 (VHDKIT_ERR_HOST_LIMITATION),
                    0xc03a001a);
}

/*----------------------------------------------------------------------
 * Killed
 *--------------------------------------------------------------------*/

/* A process that makes the image, and is killed after so long. */
static void
create_and_kill (const struct vhdkit_create_parameters *p,
                 useconds_t microseconds)
{
  vhdkit_disk *disk;
  pid_t pid = fork ();
  int status;

  assert_true (pid >= 0);
  if (pid == 0) {
    vhdkit_create (temp_path ("killed.vhd"), p, NULL, &disk);
    _exit (0);
  }
  usleep (microseconds);
  kill (pid, SIGKILL);
  assert_int_equal (waitpid (pid, &status, 0), pid);
}

/* Either it is no image, or it is a whole one: between the two footers it has
 * but the one at the start, which is as good, and a warning. */
static bool
is_whole_or_nothing (uint64_t size)
{
  struct vhdkit_check_result result;
  vhdkit_disk *disk;
  uint8_t buf[512], zero[512] = { 0 };

  if (vhdkit_open (temp_path ("killed.vhd"), VHDKIT_ACCESS_READ, 0, NULL,
                   &disk) == -1)
    return false;
  assert_int_equal (vhdkit_size (disk), size);
  assert_ok (vhdkit_pread (disk, buf, 512, size - 512));
  assert_memory_equal (buf, zero, 512);
  assert_ok (vhdkit_close (disk));
  assert_ok (vhdkit_check (temp_path ("killed.vhd"), 0, NULL, &result));
  assert_int_equal (result.errors + result.leaks, 0);
  assert_true (result.warnings <= 1);
  return true;
}

/* B-033: killed while it creates: nothing that opens as a valid image with
 * wrong content */
static void
B_033_killed (void **state)
{
  struct vhdkit_create_parameters p[2] = {
    parameters (), fixed_parameters ()
  };
  unsigned i, whole = 0, seed = 1;

  (void) state;
  p[0].maximum_size = MAX_SIZE;         /* 4 MiB of table */
  p[1].maximum_size = 32 * MiB;
  for (i = 0; i < 120; i++) {
    const struct vhdkit_create_parameters *q = &p[i / 2 % 2];

    refuse_tmpfile (i % 2);
    unlink (temp_path ("killed.vhd"));
    create_and_kill (q, rand_r (&seed) % 12000);
    whole += is_whole_or_nothing (q->maximum_size);
    /* Without a name there is nothing else. */
    if (openat_error == 0 && access (temp_path ("killed.vhd"), F_OK) == 0)
      assert_true (is_whole_or_nothing (q->maximum_size));
  }
  refuse_tmpfile (false);
  print_message ("%u of %u were whole\n", whole, i);
}

/*----------------------------------------------------------------------
 * Sources.  What a copy is like: test-copy.c.
 *--------------------------------------------------------------------*/

static void
assert_copy (struct vhdkit_create_parameters *p, uint64_t size)
{
  struct vhdkit_check_result result;
  uint8_t *buf = malloc (MiB), expected[16];
  vhdkit_disk *disk = create_open ("copy.vhd", p);
  uint64_t at;

  assert_non_null (buf);
  assert_int_equal (vhdkit_size (disk), size);
  for (at = 0; at < size; at += MiB) {
    assert_ok (vhdkit_pread (disk, buf, MiB, at));
    memset (expected, at == 2 * MiB ? 's' : 0, sizeof expected);
    assert_memory_equal (buf, expected, sizeof expected);
  }
  assert_int_equal (info_number (disk, VHDKIT_INFO_IS_4K_ALIGNED), 1);
  assert_ok (vhdkit_close (disk));
  assert_ok (vhdkit_check (temp_path ("copy.vhd"), 0, NULL, &result));
  assert_int_equal (result.errors + result.leaks + result.warnings, 0);
  free (buf);
}

static void
a_source_is_copied (void **state)
{
  struct vhdkit_create_parameters p = parameters ();
  char source[300];
  vhdkit_disk *disk;

  (void) state;
  snprintf (source, sizeof source, "%s", temp_path ("source.vhd"));
  p.maximum_size = 8 * MiB;
  disk = create_open ("source.vhd", &p);
  assert_ok (vhdkit_pwrite (disk, "ssssssssssssssss", 16, 2 * MiB, 0));
  assert_ok (vhdkit_close (disk));

  for (p.flags = 0; p.flags <= FULL; p.flags++) {
    p = p.flags ? fixed_parameters () : parameters ();
    p.source_path = source;
    p.maximum_size = 0;
    assert_copy (&p, 8 * MiB);
    p.maximum_size = 12 * MiB;
    assert_copy (&p, 12 * MiB);
    p.maximum_size = 8 * MiB - 512;     /* IP-13 */
    create_invalid ("copy.vhd", &p, "copy.vhd");
  }
}

/*----------------------------------------------------------------------
 * Asynchronous
 *--------------------------------------------------------------------*/

static void
a_task_returns_the_disk (void **state)
{
  struct vhdkit_create_parameters p = parameters ();
  char folder[300], path[320], cwd[4096];
  vhdkit_disk *disk = NULL;
  vhdkit_task *task;

  (void) state;
  /* What is given may go away meanwhile, and the working directory change. */
  assert_non_null (getcwd (cwd, sizeof cwd));
  snprintf (folder, sizeof folder, "%s", temp_dir);
  assert_int_equal (chdir (folder), 0);
  unlink ("new.vhd");
  snprintf (path, sizeof path, "new.vhd");
  assert_ok (vhdkit_create (path, &p, &task, &disk));
  assert_int_equal (chdir (cwd), 0);
  memset (path, 'x', sizeof path);
  memset (&p, 0xff, sizeof p);
  assert_ok (vhdkit_task_wait (task, -1));
  assert_int_equal (vhdkit_task_error (task), VHDKIT_OK);
  assert_int_equal (vhdkit_task_percent (task), 100);
  assert_non_null (strstr (vhdkit_task_description (task), "new.vhd"));
  vhdkit_task_free (task);
  assert_non_null (disk);
  assert_int_equal (vhdkit_size (disk), 4 * MiB);
  assert_ok (vhdkit_close (disk));
  assert_int_equal (access (temp_path ("new.vhd"), F_OK), 0);
}

static void
a_context_that_shuts_down_takes_nothing (void **state)
{
  struct vhdkit_create_parameters p = parameters ();
  vhdkit_disk *disk = NULL;
  vhdkit_task *task = NULL;

  (void) state;
  assert_ok (vhdkit_context_new (NULL, &p.context));
  vhdkit_context_shutdown (p.context);
  p.host_flags = VHDKIT_HOST_CREATE_FOLDER;
  assert_int_equal (vhdkit_create (temp_path ("shut/new.vhd"), &p, &task,
                                   &disk), -1);
  assert_last_error (VHDKIT_ERR_SHUTTING_DOWN, "");
  assert_int_equal (vhdkit_create (temp_path ("shut/new.vhd"), &p, NULL,
                                   &disk), -1);
  assert_last_error (VHDKIT_ERR_SHUTTING_DOWN, "");
  assert_absent ("shut");
  assert_null (task);
  assert_null (disk);
  vhdkit_context_free (p.context);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (B_014_inherited_mode),
    cmocka_unit_test (B_014_inherited_acl),
    cmocka_unit_test (a_given_mode_is_the_mode),
    cmocka_unit_test (a_given_mode_replaces_the_inherited_list),
    cmocka_unit_test (a_given_list_is_the_list),
    cmocka_unit_test (impossible_lists_are_refused),
    cmocka_unit_test (owner_and_group_are_set),
    cmocka_unit_test (B_016_existing_path),
    cmocka_unit_test (B_022_fixed_recipe),
    cmocka_unit_test (B_023_dynamic_recipe),
    cmocka_unit_test (B_024_differencing_recipe),
    cmocka_unit_test (B_027_dynamic_beyond_free_space),
    cmocka_unit_test (B_028_fixed_beyond_free_space),
    cmocka_unit_test (folders_are_made_when_asked_for),
    cmocka_unit_test (a_file_size_limit_does_not_kill),
    cmocka_unit_test (a_file_size_limit_does_not_kill_a_task),
    cmocka_unit_test (B_032_compressed_or_encrypted),
    cmocka_unit_test (B_033_killed),
    cmocka_unit_test (a_source_is_copied),
    cmocka_unit_test (a_task_returns_the_disk),
    cmocka_unit_test (a_context_that_shuts_down_takes_nothing),
  };

  return cmocka_run_group_tests (tests, make_temp_dir, remove_temp_dir);
}
