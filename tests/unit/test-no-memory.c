/* vhdkit tests: the n-th allocation fails, for every n.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The linker puts the functions below in front of malloc and its like for all
 * of the library (see Makefile.am).  They fail in the thread of the test, when
 * they are told to.
 */
#include <config.h>

#include "unit.h"

#include <errno.h>
#include <fcntl.h>

#include "base/error.h"
#include "store/store.h"
#include "trial.h"

#define KIB 1024u
#define MIB (1024 * KIB)

/*----------------------------------------------------------------------
 * No memory
 *--------------------------------------------------------------------*/

static bool armed;
static uint64_t calls, fail_at;
static bool was_hit;

static bool
fails (void)
{
  if (!armed || ++calls != fail_at)
    return false;
  was_hit = true;
  errno = ENOMEM;
  return true;
}

#define WRAP(type, name, params, args)                          \
  extern type __real_##name params;                             \
  extern type __wrap_##name params;                             \
  type                                                          \
  __wrap_##name params                                          \
  {                                                             \
    return fails () ? NULL : __real_##name args;                \
  }

WRAP (void *, malloc, (size_t n), (n))
WRAP (void *, calloc, (size_t n, size_t size), (n, size))
WRAP (void *, realloc, (void *p, size_t n), (p, n))
WRAP (char *, strdup, (const char *s), (s))
WRAP (char *, strndup, (const char *s, size_t n), (s, n))

extern int __real_posix_memalign (void **p, size_t align, size_t n);
extern int __wrap_posix_memalign (void **p, size_t align, size_t n);
int
__wrap_posix_memalign (void **p, size_t align, size_t n)
{
  return fails () ? ENOMEM : __real_posix_memalign (p, align, n);
}

/*----------------------------------------------------------------------
 * Images
 *--------------------------------------------------------------------*/

static void
arm (struct hazard *h)
{
  (void) h;
  armed = !was_hit;
}

static void
disarm (struct hazard *h)
{
  (void) h;
  armed = false;
}

static bool
hit (const struct hazard *h)
{
  (void) h;
  return was_hit;
}

static void
images (void **state)
{
  const char *why;
  uint64_t total = 0;
  size_t s;
  unsigned then;

  (void) state;
  for (s = 0; s < trial_nr_scripts; s++)
    for (then = RETRY; then <= GIVE_UP; then++)
      for (fail_at = 1, was_hit = true; was_hit; fail_at++, total++) {
        struct hazard h = { .arm = arm, .disarm = disarm, .hit = hit,
                            .disk = { .err = ENOMEM }, .then = then };

        was_hit = false;
        calls = 0;
        if (!trial_run (&trial_scripts[s], &h, temp_dir, &why))
          fail_msg ("allocation %llu, then %u: %s",
                    (unsigned long long) fail_at, then, why);
      }
  print_message ("%llu allocations\n", (unsigned long long) total);
  assert_true (total > 500);
}

/*----------------------------------------------------------------------
 * Everything that opens files
 *--------------------------------------------------------------------*/

static int
count_extent (void *opaque, const struct vhdkit_extent *e)
{
  * (uint64_t *) opaque += e->length;
  return 0;
}

static int
use_disk (vhdkit_disk *d)
{
  uint8_t buf[5000];
  uint64_t total = 0;

  if (vhdkit_pread (d, buf, sizeof buf, 100) == -1
      || vhdkit_layer (d, 0) == NULL
      || vhdkit_upgrade (d) == -1
      || vhdkit_pwrite (d, buf, sizeof buf, 100, 0) == -1
      || vhdkit_pwrite (d, buf, 100, 3 * MIB, VHDKIT_FUA) == -1
      || vhdkit_zero (d, 4 * MIB, 1 * MIB, VHDKIT_MAY_TRIM) == -1
      || vhdkit_trim (d, 2 * MIB, 4 * MIB, 0) == -1
      || vhdkit_cache (d, 4 * MIB, 0) == -1
      || vhdkit_extents (d, vhdkit_size (d), 0, count_extent, &total) == -1
      || vhdkit_flush (d) == -1)
    return -1;
  assert_int_equal (total, vhdkit_size (d));
  return 0;
}

/* A chain of three found by what the images say. */
static int
open_and_use (void)
{
  struct vhdkit_open_options o = {
    .struct_size = sizeof o, .commit_interval = -1
  };
  struct saved_error e;
  vhdkit_disk *d;
  int r;

  if (vhdkit_open (temp_path ("child.vhd"), VHDKIT_ACCESS_ATTACH_RO, 0, &o,
                   &d) == -1)
    return -1;
  r = use_disk (d);
  if (r == -1)
    error_save (&e);
  if (vhdkit_close (d) == -1 && r == 0)
    return -1;
  if (r == -1)
    error_restore (&e);
  return r;
}

static int
check_it (void)
{
  struct vhdkit_check_result result;

  return vhdkit_check (temp_path ("child.vhd"), VHDKIT_CHECK_DATA, NULL,
                       &result);
}

static int
create_it (void)
{
  const struct vhdkit_create_options o = {
    .struct_size = sizeof o, .type = VHDKIT_TYPE_DIFFERENCING,
    .parent = temp_path ("child.vhd")
  };

  unlink (temp_path ("new.vhd"));
  return vhdkit_create_image (temp_path ("new.vhd"), &o);
}

static void
create (const char *name, const char *parent)
{
  const struct vhdkit_create_options o = {
    .struct_size = sizeof o,
    .type = parent ? VHDKIT_TYPE_DIFFERENCING : VHDKIT_TYPE_DYNAMIC,
    .size = parent ? 0 : 8 * MIB, .parent = parent
  };

  unlink (temp_path (name));
  assert_ok (vhdkit_create_image (temp_path (name), &o));
}

static void
write_some (const char *name, uint64_t offset)
{
  vhdkit_disk *d;
  char buf[3000];

  memset (buf, name[0], sizeof buf);
  assert_ok (vhdkit_open (temp_path (name), VHDKIT_ACCESS_ATTACH_RW, 0, NULL,
                          &d));
  assert_ok (vhdkit_pwrite (d, buf, sizeof buf, offset, 0));
  assert_ok (vhdkit_close (d));
}

static void
make_chain (void)
{
  create ("base.vhd", NULL);
  write_some ("base.vhd", 1000);
  create ("parent.vhd", temp_path ("base.vhd"));
  write_some ("parent.vhd", 2 * MIB);
  create ("child.vhd", temp_path ("parent.vhd"));
  write_some ("child.vhd", 2 * MIB - 100);
}

/* Fails cleanly with every allocation, and then succeeds. */
static void
each_allocation (const char *what, int (*fn) (void))
{
  struct vhdkit_check_result result;
  uint64_t n;

  for (n = 1, was_hit = true; was_hit; n++) {
    int r;

    was_hit = false;
    calls = 0;
    fail_at = n;
    armed = true;
    r = fn ();
    armed = false;
    if (r == -1 && !was_hit)
      fail_msg ("%s: %s", what, vhdkit_get_error ());
    if (r == -1 && vhdkit_get_error_code () != VHDKIT_ERR_NO_MEMORY)
      fail_msg ("%s, allocation %llu: %s: %s", what, (unsigned long long) n,
                vhdkit_error_name (vhdkit_get_error_code ()),
                vhdkit_get_error ());
    assert_ok (vhdkit_check (temp_path ("child.vhd"), 0, NULL, &result));
    assert_int_equal (result.errors, 0);
  }
  print_message ("%s: %llu allocations\n", what, (unsigned long long) n - 2);
  assert_true (n > 10);
}

static void
disks (void **state)
{
  (void) state;
  make_chain ();
  each_allocation ("open and use", open_and_use);
  each_allocation ("check", check_it);
  each_allocation ("create", create_it);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (images),
    cmocka_unit_test (disks),
  };

  return cmocka_run_group_tests (tests, make_temp_dir, remove_temp_dir);
}
