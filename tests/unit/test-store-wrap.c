/* vhdkit tests: the stores of tests/fault do what tests rely on.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include "unit.h"

#include <errno.h>
#include <pthread.h>

#include "store-wrap.h"

static struct store *
memory_with (const char *text)
{
  struct store *s = store_open_memory ("memory");

  assert_non_null (s);
  assert_ok (store_pwrite (s, text, strlen (text), 0));
  return s;
}

/* What s holds is text, and no more. */
static void
assert_holds (struct store *s, const char *text)
{
  char buf[4096];
  uint64_t size;

  assert_ok (store_size (s, &size));
  assert_true (size <= sizeof buf);
  assert_ok (store_pread (s, buf, size, 0));
  assert_int_equal (size, strlen (text));
  assert_memory_equal (buf, text, size);
}

/*----------------------------------------------------------------------
 * Failing
 *--------------------------------------------------------------------*/

static void
chosen_call_fails_once (void **state)
{
  struct fault f = { .kinds = CALL_WRITE, .fail_at = 2, .err = ENOSPC,
                     .partial = 3 };
  struct store *s = fault_open (memory_with ("........"), &f);
  struct iovec iov[2] = { { (void *) "ab", 2 }, { (void *) "cd", 2 } };

  (void) state;
  assert_ok (store_pwrite (s, "1", 1, 0));
  assert_ok (store_flush (s));
  assert_false (f.hit);
  assert_int_equal (store_pwritev (s, iov, 2, 2), -1);
  assert_last_error (VHDKIT_ERR_DISK_FULL, "memory", "call 2");
  assert_true (f.hit);
  assert_ok (store_pwrite (s, "7", 1, 7));
  assert_int_equal (f.calls, 3);
  assert_holds (s, "1.abc..7");
  assert_ok (store_close (s));
}

static void
full_disk_only_refuses_to_grow (void **state)
{
  struct fault f = { .kinds = CALLS_CHANGING, .growing = true, .fail_at = 1,
                     .for_good = true, .err = ENOSPC };
  struct store *s = fault_open (memory_with ("1234"), &f);

  (void) state;
  assert_ok (store_pwrite (s, "ab", 2, 2));
  assert_ok (store_truncate (s, 4));
  assert_int_equal (store_pwrite (s, "ab", 2, 3), -1);
  assert_int_equal (store_truncate (s, 5), -1);
  f.fail_at = 0;
  assert_ok (store_pwrite (s, "cd", 2, 4));
  assert_holds (s, "12abcd");
  assert_ok (store_close (s));
}

/*----------------------------------------------------------------------
 * Waiting
 *--------------------------------------------------------------------*/

struct writer {
  struct store *s;
  pthread_t thread;
};

static void *
write_x (void *opaque)
{
  struct writer *w = opaque;

  return store_pwrite (w->s, "x", 1, 1) == 0 ? NULL : w;
}

static void
gate (enum gate_place place, const char *while_waiting)
{
  struct gate g, *gates[] = { &g };
  struct store *memory = memory_with ("123"), *s;
  struct writer w;
  void *failed;

  gate_init (&g);
  s = slow_open (memory, gates, 1);
  gate_shut (&g, place, CALL_WRITE, 1, 1);
  assert_ok (store_pwrite (s, "a", 1, 0));      /* another range */
  w.s = s;
  assert_int_equal (pthread_create (&w.thread, NULL, write_x, &w), 0);
  assert_true (gate_await (&g, 1));
  assert_holds (s, while_waiting);              /* another kind */
  gate_open (&g);
  assert_int_equal (pthread_join (w.thread, &failed), 0);
  assert_null (failed);
  assert_holds (s, "ax3");
  assert_ok (store_close (s));
  gate_destroy (&g);
}

static void
gate_holds_calls_before_or_after (void **state)
{
  (void) state;
  gate (GATE_BEFORE, "a23");
  gate (GATE_AFTER, "ax3");
}

/*----------------------------------------------------------------------
 * Recording
 *--------------------------------------------------------------------*/

static void
assert_cut (struct recording *r, size_t end, survives_fn survives,
            const char *text)
{
  struct store *s = recording_cut (r, recording_durable (r, end), end,
                                   survives, NULL);

  assert_holds (s, text);
  assert_ok (store_close (s));
}

static bool
nothing_survives (void *opaque, size_t entry, uint64_t offset)
{
  (void) opaque;
  (void) entry;
  (void) offset;
  return false;
}

static void
cut_keeps_what_was_flushed (void **state)
{
  struct recording r;
  struct store *s;

  (void) state;
  recording_init (&r);
  s = record_open (memory_with ("base"), &r);
  assert_ok (store_pwrite (s, "B", 1, 0));      /* entry 0 */
  assert_ok (store_truncate (s, 6));            /* 1 */
  assert_ok (store_flush (s));                  /* 2 */
  assert_ok (store_pwrite (s, "ef", 2, 4));     /* 3 */
  assert_ok (store_zero (s, 1, 1, 0));          /* 4 */
  assert_ok (store_truncate (s, 1));            /* 5 */
  assert_int_equal (recording_nr (&r), 6);
  assert_ok (store_close (s));

  assert_cut (&r, 0, NULL, "base");
  assert_cut (&r, 1, NULL, "Base");
  assert_cut (&r, 1, nothing_survives, "base");
  assert_cut (&r, 6, NULL, "B");
  assert_cut (&r, 4, NULL, "Baseef");
  assert_int_equal (recording_durable (&r, 2), 0);
  assert_int_equal (recording_durable (&r, 6), 3);
  recording_destroy (&r);
}

/* Of a write of five pieces the second and the last survive. */
static bool
survives_there (void *opaque, size_t entry, uint64_t offset)
{
  (void) opaque;
  assert_int_equal (entry, 0);
  return offset == 512 || offset == 2048;
}

static void
cut_tears_writes_at_sectors (void **state)
{
  static uint8_t out[1900], in[2200];
  struct recording r;
  struct store *s;

  (void) state;
  memset (out, 'x', sizeof out);
  recording_init (&r);
  s = memory_with ("");
  assert_ok (store_truncate (s, 2200));
  s = record_open (s, &r);
  assert_ok (store_pwrite (s, out, sizeof out, 200));
  assert_ok (store_close (s));

  s = recording_cut (&r, 0, 1, survives_there, NULL);
  assert_ok (store_pread (s, in, sizeof in, 0));
  for (size_t i = 0; i < sizeof in; i++)
    assert_int_equal (in[i], (i >= 512 && i < 1024) || (i >= 2048 && i < 2100)
                      ? 'x' : 0);
  assert_ok (store_close (s));
  recording_destroy (&r);
}

static void
chance_is_repeatable_and_varied (void **state)
{
  enum { ENTRIES = 300 };
  unsigned lost = 0, whole = 0, torn = 0;
  uint64_t seed = 4711;

  (void) state;
  for (size_t entry = 0; entry < ENTRIES; entry++) {
    unsigned pieces = 0;

    for (uint64_t offset = 0; offset < 16 * 512; offset += 512) {
      bool s = survives_by_chance (&seed, entry, offset);

      assert_int_equal (s, survives_by_chance (&seed, entry, offset));
      pieces += s;
    }
    lost += pieces == 0;
    whole += pieces == 16;
    torn += pieces > 0 && pieces < 16;
  }
  assert_in_range (lost, 60, 140);
  assert_in_range (whole, 60, 140);
  assert_in_range (torn, 60, 140);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (chosen_call_fails_once),
    cmocka_unit_test (full_disk_only_refuses_to_grow),
    cmocka_unit_test (gate_holds_calls_before_or_after),
    cmocka_unit_test (cut_keeps_what_was_flushed),
    cmocka_unit_test (cut_tears_writes_at_sectors),
    cmocka_unit_test (chance_is_repeatable_and_varied),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
