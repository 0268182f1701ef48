/* vhdkit: a virtual disk: a stack of images read and written as one.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * layer[0] is the image that was opened and may be writable; the others are
 * its parents, never written.  What the parents hold together is fixed, so it
 * is resolved once per stretch and kept (disk/below.c): reads at depth 64 cost
 * what reads at depth 1 cost.
 */
#ifndef VHDKIT_DISK_H
#define VHDKIT_DISK_H

#include <pthread.h>

#include "vhdkit.h"
#include "base/error.h"
#include "image/image.h"

/* Chains longer than this are refused. */
#define DISK_MAX_DEPTH 512

struct layer {
  struct image *image;          /* NULL for a raw parent */
  struct store *store;          /* borrowed from the image, or owned (raw) */
  uint64_t size;                /* bytes served of this layer */
  uint64_t known_from, known_until;     /* disk.known_lock; extents.c */
  bool known_hole;
  char *path;                   /* as opened; owned */
  struct store_id id;
  struct vhdkit_candidate *candidates;  /* where its parent was looked for */
  size_t nr_candidates;
  struct vhdkit_locator *locators;
  size_t nr_locators;
  struct vhdkit_layer_info info;        /* filled on request */
};

struct vhdkit_disk {
  struct layer *layer;
  size_t nr_layers;
  uint32_t access_mask;         /* what it was opened for */
  bool inspect;                 /* for information only, and then: */
  struct saved_error chain_error;       /* why the chain ends without a base;
                                           code 0: it does not */
  bool locks;
  bool confine;                 /* parents must lie in certain directories */
  struct below_cache *below;    /* NULL without parents */
  pthread_mutex_t known_lock;   /* guards the known_ fields of layers;
                                   innermost, no I/O */
  char *path;                   /* layer[0].path, for messages */
};

/* What vhdkit_open can be told. */
#define DISK_OPEN_FLAGS                                                 \
  (VHDKIT_OPEN_NO_PARENTS | VHDKIT_OPEN_CACHED_IO                       \
   | VHDKIT_OPEN_PARENT_CACHED_IO | VHDKIT_OPEN_NO_LOCK                 \
   | VHDKIT_OPEN_IGNORE_PARENT_ID | VHDKIT_OPEN_CONFINE                 \
   | VHDKIT_OPEN_SIZE_CHS | VHDKIT_OPEN_INSPECT                         \
   | VHDKIT_OPEN_STRICT_PARENT)

extern int disk_open (const char *path, uint32_t access_mask, uint32_t flags,
                      const struct vhdkit_open_options *opts,
                      struct vhdkit_disk **ret_disk);
extern int disk_upgrade (struct vhdkit_disk *d);
extern int disk_close (struct vhdkit_disk *d);

extern int disk_pread (struct vhdkit_disk *d, void *buf, size_t count,
                       uint64_t offset);
extern int disk_pwrite (struct vhdkit_disk *d, const void *buf, size_t count,
                        uint64_t offset, uint32_t flags);
extern int disk_zero (struct vhdkit_disk *d, uint64_t count, uint64_t offset,
                      uint32_t flags);
extern int disk_trim (struct vhdkit_disk *d, uint64_t count, uint64_t offset,
                      uint32_t flags);
extern int disk_flush (struct vhdkit_disk *d);
extern int disk_cache (struct vhdkit_disk *d, uint64_t count, uint64_t offset);
extern int disk_extents (struct vhdkit_disk *d, uint64_t count,
                         uint64_t offset,
                         int (*fn) (void *opaque,
                                    const struct vhdkit_extent *extent),
                         void *opaque);
extern void disk_extents_forget (struct vhdkit_disk *d);
extern const struct vhdkit_layer_info *disk_layer_info (struct vhdkit_disk *d,
                                                        size_t layer);

/* disk/below.c: the parents as one, resolved once. */
struct below_cache;
/* layer[0..n-1]: the parents, nearest first; must outlive the cache. */
extern struct below_cache *below_new (const struct layer *layer, size_t n,
                                      uint64_t cache_bytes);
extern void below_free (struct below_cache *b);
extern void below_interface (struct below_cache *b, struct below *ret);
/* Runs of what the parents hold: layer is an index into the array given to
 * below_new, or -1 for zeros. */
struct below_run {
  uint64_t sector, count;
  int layer;
  uint64_t file_offset;
};
extern int below_runs (struct below_cache *b, uint64_t sector, uint64_t count,
                       int (*fn) (void *opaque, const struct below_run *run),
                       void *opaque);

/* disk/split.c: the last error, or a warning, when the image at path, which has
 * no footer, is the first of several pieces. */
extern void split_explain (const char *path);
extern int split_report (const char *path, uint64_t end, struct report *r);

/* disk/parents.c: where an image says its parent is. */
struct parent_search {
  const char *const *explicit_parents;  /* what remains of parent=; only the
                                           first is tried, the caller moves
                                           on with each layer */
  size_t nr_explicit;
  const char *const *search;
  size_t nr_search;
  bool ignore_id, confine, lock;
  const char *confine_dir;      /* NULL: the folder of the child */
  struct report *report;
  bool inspect;                 /* as in image_options */
};
/* Open the parent of child (whose file is child_path): tries every candidate
 * in the order of vhd-format 6.5, checks identity, locks it shared.  Records
 * all attempts in *ret_candidates, also on failure.  chain[0..n-1]: files
 * already in the chain, for cycles.
 * On success fills *ret_layer (image or raw store, path, id, size). */
extern int parent_open (struct image *child, const char *child_path,
                        const struct parent_search *ps,
                        const struct layer *chain, size_t n,
                        struct layer *ret_layer,
                        struct vhdkit_candidate **ret_candidates,
                        size_t *ret_nr_candidates);
/* Read and decode the locators and the name of a differencing image. */
extern int parent_locators (struct image *child,
                            struct vhdkit_locator **ret_locators,
                            size_t *ret_nr);
extern void parent_locators_free (struct vhdkit_locator *l, size_t n);
extern void parent_candidates_free (struct vhdkit_candidate *c, size_t n);

#endif
