/* vhdkit: integers as they lie on disk.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Byte arrays in a struct, so that a forgotten swap does not compile and no
 * struct needs packing.  gcc -O2 makes one load and one bswap of each.
 */
#ifndef VHDKIT_BASE_BYTES_H
#define VHDKIT_BASE_BYTES_H

#include <stdint.h>
#include <string.h>
#include <endian.h>

typedef struct { uint8_t b[2]; } be16;
typedef struct { uint8_t b[4]; } be32;
typedef struct { uint8_t b[8]; } be64;
typedef struct { uint8_t b[2]; } le16;

static inline uint16_t
get_be16 (be16 v)
{
  uint16_t r;
  memcpy (&r, v.b, sizeof r);
  return be16toh (r);
}

static inline uint32_t
get_be32 (be32 v)
{
  uint32_t r;
  memcpy (&r, v.b, sizeof r);
  return be32toh (r);
}

static inline uint64_t
get_be64 (be64 v)
{
  uint64_t r;
  memcpy (&r, v.b, sizeof r);
  return be64toh (r);
}

static inline be16
put_be16 (uint16_t v)
{
  be16 r;
  v = htobe16 (v);
  memcpy (r.b, &v, sizeof v);
  return r;
}

static inline be32
put_be32 (uint32_t v)
{
  be32 r;
  v = htobe32 (v);
  memcpy (r.b, &v, sizeof v);
  return r;
}

static inline be64
put_be64 (uint64_t v)
{
  be64 r;
  v = htobe64 (v);
  memcpy (r.b, &v, sizeof v);
  return r;
}

#endif
