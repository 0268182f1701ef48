/* vhdkit tests: a small image, and actors that do things to it at once.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The image lies over a memory store with a gate, at which an actor can be
 * held while it reads or writes; everything is recorded, for power cuts.
 */
#ifndef INTERLEAVE_H
#define INTERLEAVE_H

#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>

#include "store-wrap.h"
#include "target.h"

#define BLOCK (16u * 1024)
#define BLOCKS 8
#define DISK ((uint64_t) BLOCK * BLOCKS)
#define ANYWHERE 0, UINT64_MAX

/* An image over a slow, recorded memory store; if it is a child, its parent is
 * slow too and holds PARENT_BYTE everywhere but in the last block. */
struct world {
  struct store *memory, *parent_memory;
  struct gate gate, parent_gate;
  struct fault fault;           /* of the image's own store */
  struct recording recording;
  struct image *image, *parent;
  uint8_t buf[2 * BLOCK];       /* of the actor that reads */
  _Atomic unsigned writers;     /* of those that have sectors of their own */
};
#define PARENT_BYTE 'P'
#define ZERO_BLOCK (BLOCKS - 1)

/*----------------------------------------------------------------------
 * The world
 *--------------------------------------------------------------------*/

static inline struct image *
open_over (struct store *memory, struct gate *gate, struct recording *r,
           struct fault *f, bool writable)
{
  /* A cache that holds the bitmaps of two blocks, one of which may be dirty
   * before a writer commits; and no other commits but those we ask for. */
  const struct image_options o = { .writable = writable, .cache_bytes = 1300 };
  struct gate *gates[] = { gate };
  struct store *s = wrap_keep (memory);
  struct image *i;

  if (r)
    s = record_open (s, r);
  if (f)
    s = fault_open (s, f);
  s = slow_open (s, gates, 1);
  if (image_open (s, &o, &i) == -1)
    fail_msg ("%s", vhdkit_get_error ());
  return i;
}

static inline struct store *
new_image_in_memory (uint32_t type)
{
  struct image_shape shape = { .type = type, .size = DISK,
                               .block_size = BLOCK };
  struct store *s = store_open_memory ("image");

  assert_non_null (s);
  format_image (s, &shape);
  return s;
}

static inline void
put_byte (struct image *i, uint8_t byte, size_t count, uint64_t offset)
{
  uint8_t *buf = malloc (count);

  assert_non_null (buf);
  memset (buf, byte, count);
  assert_ok (image_pwrite (i, buf, count, offset));
  free (buf);
}

static inline void
open_image (struct world *w)
{
  struct below below;

  w->image = open_over (w->memory, &w->gate, &w->recording, &w->fault,
                        true);
  if (image_footer (w->image)->type == VHD_DIFFERENCING) {
    below = below_image (w->parent);
    image_set_below (w->image, &below);
  }
}

static inline struct world *
new_world (uint32_t type)
{
  struct world *w = calloc (1, sizeof *w);

  assert_non_null (w);
  gate_init (&w->gate);
  gate_init (&w->parent_gate);
  recording_init (&w->recording);
  if (type == VHD_DIFFERENCING) {
    w->parent_memory = new_image_in_memory (VHD_DYNAMIC);
    w->parent = open_over (w->parent_memory, &w->parent_gate, NULL, NULL,
                           true);
    put_byte (w->parent, PARENT_BYTE, DISK - BLOCK, 0);
    assert_ok (image_close (w->parent));
    w->parent = open_over (w->parent_memory, &w->parent_gate, NULL, NULL,
                           false);
  }
  w->memory = new_image_in_memory (type);
  open_image (w);
  return w;
}

static inline void
reopen (struct world *w)
{
  assert_ok (image_close (w->image));
  open_image (w);
}

static inline void
end_world (struct world *w)
{
  assert_ok (image_close (w->image));
  if (w->parent)
    assert_ok (image_close (w->parent));
  assert_ok (store_close (w->memory));
  assert_ok (store_close (w->parent_memory));
  recording_destroy (&w->recording);
  gate_destroy (&w->gate);
  gate_destroy (&w->parent_gate);
  free (w);
}

/* What [offset, offset + count) reads as. */
static inline void
assert_image_reads (struct image *i, uint8_t byte, size_t count,
                    uint64_t offset)
{
  uint8_t *buf = malloc (count);

  assert_non_null (buf);
  assert_ok (image_pread (i, buf, count, offset));
  for (size_t k = 0; k < count; k++)
    if (buf[k] != byte)
      fail_msg ("byte %zu from %zu on is %02x, must be %02x", k,
                (size_t) offset, buf[k], byte);
  free (buf);
}

static inline void
assert_reads (struct world *w, uint8_t byte, size_t count, uint64_t offset)
{
  assert_image_reads (w->image, byte, count, offset);
}

/* Where the data of a block lies in the file. */
static inline uint64_t
place_of (struct world *w, uint32_t block)
{
  return (uint64_t) image_table_entry (w->image, block) * SECTOR_SIZE
         + vhd_bitmap_bytes (BLOCK);
}

/* What would be there if the power went now. */
static inline void
assert_reads_after_a_cut (struct world *w, uint8_t byte, size_t count,
                          uint64_t offset)
{
  size_t nr = recording_nr (&w->recording);
  size_t durable = recording_durable (&w->recording, nr);
  struct store *after = recording_cut (&w->recording, durable, durable, NULL,
                                       NULL);
  struct image *i = open_over (after, &w->gate, NULL, NULL, false);
  struct below below = below_image (w->parent);

  if (w->parent)
    image_set_below (i, &below);
  assert_image_reads (i, byte, count, offset);
  assert_ok (image_close (i));
  assert_ok (store_close (after));
}

/*----------------------------------------------------------------------
 * Actors
 *--------------------------------------------------------------------*/

typedef int (*act_fn) (struct world *w);

struct actor {
  struct world *w;
  act_fn act;
  int result;
  char error[300];
  pthread_t thread;
  _Atomic pid_t tid;
  _Atomic bool done;
};

static inline void *
run_actor (void *opaque)
{
  struct actor *a = opaque;

  a->tid = syscall (SYS_gettid);
  a->result = a->act (a->w);
  if (a->result == -1)
    snprintf (a->error, sizeof a->error, "%s", vhdkit_get_error ());
  a->done = true;
  return NULL;
}

static inline void
start (struct actor *a, struct world *w, act_fn act)
{
  memset (a, 0, sizeof *a);
  a->w = w;
  a->act = act;
  assert_int_equal (pthread_create (&a->thread, NULL, run_actor, a), 0);
}

static inline bool
sleeps (struct actor *a)
{
  char path[64], line[256] = "", *p;
  FILE *f;

  snprintf (path, sizeof path, "/proc/self/task/%d/stat", (int) a->tid);
  f = fopen (path, "r");
  if (f == NULL)
    return false;
  if (fgets (line, sizeof line, f) == NULL)
    line[0] = '\0';
  fclose (f);
  p = strrchr (line, ')');
  return p && p[1] && p[2] == 'S';
}

/* As far as it comes while all others wait. */
static inline void
let_go_on (struct actor *a)
{
  const struct timespec nap = { 0, 20 * 1000 };

  do
    nanosleep (&nap, NULL);
  while (!a->done && (a->tid == 0 || !sleeps (a)));
}

static inline void
finish (struct actor *a)
{
  assert_int_equal (pthread_join (a->thread, NULL), 0);
  if (a->result == -1)
    fail_msg ("%s", a->error);
}

/* The first actor is held at the gate, then the second, which is not, goes on
 * as far as it can, then both to the end. */
static inline void
interleave (struct world *w, struct gate *g, act_fn held, act_fn other)
{
  struct actor a, b;

  g->most = 1;
  start (&a, w, held);
  assert_true (gate_await (g, 1));
  start (&b, w, other);
  let_go_on (&b);
  gate_open (g);
  finish (&a);
  finish (&b);
}

#endif
