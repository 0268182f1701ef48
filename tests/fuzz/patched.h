/* vhdkit: what fuzzers of images share.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * An input is one of two things:
 *
 *  - a VHD file as it is; its last two bytes, which are reserved in a footer,
 *    are choices as below;
 *  - a good image, by number, and what is different: 1 byte image, 1 byte
 *    choices, 1 byte seed of what is done with it, and then patches, each
 *    2 bytes place, 1 byte length n, n bytes.  The last KiB of places counts
 *    from the end of the file.  n = 0: the file ends at 64 times the place.
 *
 * Checksums are made right afterwards, unless a choice says no, so that few
 * bytes reach every check.
 */
#ifndef PATCHED_H
#define PATCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "promise.h"
#include "store/store.h"
#include "vhdkit.h"

#define CHOOSE_UNSEALED 0x01    /* leave checksums as they are */
#define CHOOSE_CHS 0x02
#define CHOOSE_INSPECT 0x04
#define CHOOSE_READ_ONLY 0x08
#define CHOOSE_SMALL_CACHE 0x10
#define CHOOSE_2 0x20           /* of the fuzzer's own */
#define CHOOSE_3 0x40

struct patched {
  struct store *store;          /* memory */
  uint8_t choices, seed;
};

/* NULL if the input is too large to be worth while. */
extern struct store *patched_store (const uint8_t *data, size_t size,
                                    struct patched *ret);
/* Only the patches, to the image with this number. */
extern struct store *patched_image (unsigned number, const uint8_t *patches,
                                    size_t size, bool seal);

/* A write, a zero, a trim or a flush somewhere in the first size bytes, which
 * must succeed, and the same to the model: an array.  The seed says what. */
struct image;
extern void patched_seed (uint64_t seed);
extern void patched_operate (struct image *i, uint8_t *model, uint64_t size);

#endif
