/* vhdkit tests: what flags of a disk's operations become.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>

#include "disk/disk.h"
#include "image/internal.h"
#include "new-disk.h"

#define KIB 1024u
#define BLOCK (4 * KIB)
#define TABLE 1536u             /* where format_image puts it */

/* Is the block in the table in the file? */
static bool
is_committed (uint32_t block)
{
  struct store *s = store_open_file (AT_FDCWD, temp_path ("disk.vhd"), false,
                                     false);
  be32 entry;

  assert_non_null (s);
  assert_ok (store_pread (s, &entry, sizeof entry, TABLE + block * 4));
  assert_ok (store_close (s));
  return get_be32 (entry) != VHD_BAT_UNUSED;
}

static void
fua_commits (void **state)
{
  vhdkit_disk *d = open_new_disk (16 * BLOCK, BLOCK);

  (void) state;
  assert_ok (vhdkit_pwrite (d, "x", 1, 0, 0));
  assert_false (is_committed (0));
  assert_ok (vhdkit_pwrite (d, "x", 1, 5, VHDKIT_FUA));
  assert_true (is_committed (0));
  assert_ok (vhdkit_pwrite (d, "x", 1, BLOCK, 0));
  assert_false (is_committed (1));
  assert_ok (vhdkit_zero (d, 512, 0, VHDKIT_FUA));
  assert_true (is_committed (1));
  assert_ok (vhdkit_trim (d, BLOCK, 0, 0));
  assert_true (is_committed (0));
  assert_ok (vhdkit_trim (d, BLOCK, BLOCK, VHDKIT_FUA));
  assert_false (is_committed (0));
  assert_false (is_committed (1));
  assert_ok (vhdkit_close (d));
}

static void
only_may_trim_frees (void **state)
{
  vhdkit_disk *d = open_new_disk (16 * BLOCK, BLOCK);

  (void) state;
  assert_ok (vhdkit_pwrite (d, "x", 1, 0, VHDKIT_FUA));
  assert_ok (vhdkit_zero (d, BLOCK, 0, VHDKIT_FUA));
  assert_true (is_committed (0));
  assert_ok (vhdkit_zero (d, BLOCK, 0, VHDKIT_FUA | VHDKIT_MAY_TRIM));
  assert_false (is_committed (0));
  assert_ok (vhdkit_close (d));
}

/* A trim leaves sectors that it only touches alone, a zero does not. */
static void
trim_is_of_whole_sectors (void **state)
{
  vhdkit_disk *d = open_new_disk (16 * BLOCK, BLOCK);
  char buf[3 * 512], want[3 * 512];

  (void) state;
  memset (want, 'x', sizeof want);
  assert_ok (vhdkit_pwrite (d, want, sizeof want, 0, 0));
  assert_ok (vhdkit_trim (d, 1200, 100, 0));
  memset (want + 512, 0, 512);
  assert_ok (vhdkit_pread (d, buf, sizeof buf, 0));
  assert_memory_equal (buf, want, sizeof buf);
  assert_ok (vhdkit_zero (d, 1200, 100, VHDKIT_MAY_TRIM));
  memset (want + 100, 0, 1200);
  assert_ok (vhdkit_pread (d, buf, sizeof buf, 0));
  assert_memory_equal (buf, want, sizeof buf);
  assert_ok (vhdkit_close (d));
}

/* The state of thread tid ('S': it sleeps), 'X' if it is gone, and the signals
 * that it blocks, as a mask of bits. */
static char
look_at_thread (const char *tid, uint64_t *ret_mask)
{
  char path[300], line[256], state = 'X';
  FILE *fp;

  snprintf (path, sizeof path, "/proc/self/task/%s/status", tid);
  fp = fopen (path, "r");
  if (fp == NULL)
    return 'X';
  while (fgets (line, sizeof line, fp)) {
    sscanf (line, "State: %c", &state);
    sscanf (line, "SigBlk: %" SCNx64, ret_mask);
  }
  fclose (fp);
  return state;
}

/* A thread begins with all signals blocked, whatever it is to block: look when
 * it has come to where it waits.  One that has been joined may be listed for a
 * moment: false. */
static bool
blocked_by (const char *tid, uint64_t *ret_mask)
{
  char state;

  while ((state = look_at_thread (tid, ret_mask)) != 'S') {
    if (state == 'X' || state == 'Z')
      return false;
    usleep (1000);
  }
  return true;
}

#define SIGNAL_BIT(n) (UINT64_C (1) << ((n) - 1))

/* The one that commits in the background is not the one to handle the signals
 * of the program, other than its own faults.  (A sanitizer's thread may be
 * there, which blocks them all.) */
static void
the_commit_thread_blocks_signals (void **state)
{
  struct vhdkit_open_options o = { .struct_size = sizeof o,
                                   .commit_interval = 3600 };
  vhdkit_disk *d = open_new_disk (16 * BLOCK, BLOCK);
  struct dirent *e;
  unsigned ours = 0;
  uint64_t mask;
  sigset_t mine;
  DIR *dir;

  (void) state;
  assert_ok (vhdkit_close (d));
  assert_ok (vhdkit_open (temp_path ("disk.vhd"), VHDKIT_ACCESS_ATTACH_RW, 0,
                          &o, &d));
  dir = opendir ("/proc/self/task");
  assert_non_null (dir);
  while ((e = readdir (dir)) != NULL)
    if (e->d_name[0] != '.' && atol (e->d_name) != (long) getpid ()
        && blocked_by (e->d_name, &mask)) {
      assert_true (mask & SIGNAL_BIT (SIGINT));
      assert_true (mask & SIGNAL_BIT (SIGALRM));
      ours += (mask & SIGNAL_BIT (SIGSEGV)) == 0;
    }
  closedir (dir);
  assert_int_equal (ours, 1);
  assert_int_equal (pthread_sigmask (SIG_SETMASK, NULL, &mine), 0);
  assert_false (sigismember (&mine, SIGINT));
  assert_ok (vhdkit_close (d));
}

static size_t
cache_limit (uint64_t metadata_cache)
{
  struct vhdkit_open_options o = { .struct_size = sizeof o,
                                   .metadata_cache = metadata_cache };
  size_t limit;
  vhdkit_disk *d;

  assert_ok (vhdkit_open (temp_path ("disk.vhd"), 0, 0, &o, &d));
  limit = d->layer[0].image->bitmaps.limit;
  assert_ok (vhdkit_close (d));
  return limit;
}

/* Who asks for very little does not get much instead, nor nothing. */
static void
small_caches_are_small (void **state)
{
  (void) state;
  assert_ok (vhdkit_close (open_new_disk (16 * BLOCK, BLOCK)));
  assert_int_equal (cache_limit (0), 32 << 20);
  assert_int_equal (cache_limit (1 << 20), 1 << 19);
  assert_int_equal (cache_limit (8192), 4096);
  assert_int_equal (cache_limit (2), 4096);
  assert_int_equal (cache_limit (1), 4096);
}

static void
layers_are_counted_from_0 (void **state)
{
  vhdkit_disk *d = open_new_disk (16 * BLOCK, BLOCK);

  (void) state;
  assert_int_equal (vhdkit_layers (d), 1);
  assert_non_null (vhdkit_layer (d, 0));
  assert_null (vhdkit_layer (d, 1));
  assert_last_error (VHDKIT_ERR_BAD_INDEX, "no layer 1");
  assert_ok (vhdkit_close (d));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (fua_commits),
    cmocka_unit_test (only_may_trim_frees),
    cmocka_unit_test (trim_is_of_whole_sectors),
    cmocka_unit_test (the_commit_thread_blocks_signals),
    cmocka_unit_test (small_caches_are_small),
    cmocka_unit_test (layers_are_counted_from_0),
  };

  return cmocka_run_group_tests (tests, make_temp_dir, remove_temp_dir);
}
