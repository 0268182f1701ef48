/* vhdkit: the structures of a VHD file.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * For each record a struct ending in _disk mirrors the bytes (all integers
 * big-endian); the plain one is what the code works with.  Only decode and
 * encode see both.  No I/O and no allocation here.  Source: vhd-format 1-3, 6.
 */
#ifndef VHDKIT_FORMAT_VHD_H
#define VHDKIT_FORMAT_VHD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <assert.h>

#include "base/bytes.h"
#include "base/report.h"

#define SECTOR_SIZE 512u
#define SECTOR_SHIFT 9

#define VHD_FOOTER_COOKIE  "conectix"
#define VHD_POISON_COOKIE  "v_poison"   /* vhd-util resize in progress (7.3) */
#define VHD_HEADER_COOKIE  "cxsparse"
#define VHD_BATMAP_COOKIE  "tdbatmap"
#define VHD_VERSION_1      0x00010000u
#define VHD_BATMAP_VERSION_1_1 0x00010001u
#define VHD_BATMAP_VERSION_1_2 0x00010002u
#define VHD_NO_OFFSET      UINT64_C (0xffffffffffffffff)
#define VHD_BAT_UNUSED     0xffffffffu
/* 2040 GiB: the largest disk of the specification, of Windows and of qemu. */
#define VHD_MAX_SIZE       UINT64_C (2190433320960)
/* 2 TiB: what the block table can reach at most; tap images go up to it. */
#define VHD_MAX_REACH      (UINT64_C (1) << 41)
#define VHD_MIN_BLOCK_SIZE 4096u
#define VHD_MAX_BLOCK_SIZE (256u << 20)
#define VHD_DEFAULT_BLOCK_SIZE (2u << 20)
/* Bytes of a table that we load: 64 MiB cover 2040 GiB in 128 KiB blocks. */
#define VHD_MAX_TABLE_BYTES (64u << 20)
/* Unix time of 2000-01-01 00:00:00 UTC, where VHD time begins. */
#define VHD_EPOCH          INT64_C (946684800)

#define VHD_FEATURE_TEMPORARY 0x1u
#define VHD_FEATURE_RESERVED  0x2u      /* always set */

enum { VHD_FIXED = 2, VHD_DYNAMIC = 3, VHD_DIFFERENCING = 4 };

struct vhd_footer_disk {
  uint8_t cookie[8];
  be32 features;
  be32 version;
  be64 data_offset;
  be32 timestamp;
  uint8_t creator[4];
  be16 creator_major, creator_minor;
  uint8_t creator_os[4];
  be64 original_size;
  be64 current_size;
  be16 cylinders;
  uint8_t heads, sectors;
  be32 type;
  be32 checksum;
  uint8_t id[16];
  uint8_t saved_state;
  uint8_t reserved[427];
};
static_assert (sizeof (struct vhd_footer_disk) == 512, "one sector");
static_assert (offsetof (struct vhd_footer_disk, checksum) == 0x40, "1.1");
static_assert (offsetof (struct vhd_footer_disk, reserved) == 0x55, "1.1");

struct vhd_footer {
  uint32_t features, version;
  uint64_t data_offset;
  uint32_t timestamp;           /* seconds since VHD_EPOCH */
  uint8_t creator[4];
  uint16_t creator_major, creator_minor;
  uint8_t creator_os[4];
  uint64_t original_size, current_size;
  uint16_t cylinders;
  uint8_t heads, sectors;
  uint32_t type;
  uint32_t checksum;            /* as stored; encode computes it anew */
  uint8_t id[16];
  uint8_t saved_state;
  uint8_t reserved[427];        /* kept on rewrite; [0] is "hidden" */
};

#define VHD_LOCATORS 8
/* Longer paths are neither followed nor recorded: none is (9.2 point 8). */
#define VHD_MAX_LOCATOR_BYTES (64u << 10)

struct vhd_locator_disk {
  be32 platform;
  be32 space;
  be32 length;
  be32 reserved;
  be64 offset;
};

struct vhd_header_disk {
  uint8_t cookie[8];
  be64 next_offset;
  be64 table_offset;
  be32 version;
  be32 table_entries;
  be32 block_size;
  be32 checksum;
  uint8_t parent_id[16];
  be32 parent_timestamp;
  be32 reserved1;
  uint8_t parent_name[512];     /* UTF-16BE */
  struct vhd_locator_disk locator[VHD_LOCATORS];
  uint8_t reserved2[256];
};
static_assert (sizeof (struct vhd_header_disk) == 1024, "two sectors");
static_assert (offsetof (struct vhd_header_disk, locator) == 0x240, "3.1");

#define VHD_PLATFORM_NONE 0u
#define VHD_PLATFORM_WI2R 0x57693272u
#define VHD_PLATFORM_WI2K 0x5769326bu
#define VHD_PLATFORM_W2RU 0x57327275u
#define VHD_PLATFORM_W2KU 0x57326b75u
#define VHD_PLATFORM_MAC  0x4d616320u
#define VHD_PLATFORM_MACX 0x4d616358u

struct vhd_locator {
  uint32_t platform;
  uint32_t space;               /* as stored: bytes, or sectors (6.3) */
  uint32_t length;              /* bytes of payload */
  uint32_t reserved;
  uint64_t offset;
};

struct vhd_header {
  uint64_t next_offset;
  uint64_t table_offset;
  uint32_t version;
  uint32_t table_entries;
  uint32_t block_size;
  uint32_t checksum;
  uint8_t parent_id[16];
  uint32_t parent_timestamp;
  uint32_t reserved1;
  uint8_t parent_name[512];
  struct vhd_locator locator[VHD_LOCATORS];
  uint8_t reserved2[256];
};

/* Complement of the byte sum, the four bytes at skip taken as zero (1.2). */
extern uint32_t vhd_checksum (const void *p, size_t size, size_t skip);

/* What there is at a place where a footer may be. */
enum vhd_footer_state {
  VHD_FOOTER_ABSENT,            /* no cookie */
  VHD_FOOTER_POISONED,          /* the cookie of an interrupted resize */
  VHD_FOOTER_BAD_CHECKSUM,
  VHD_FOOTER_BAD_VERSION,
  VHD_FOOTER_BAD_TYPE,
  VHD_FOOTER_VALID              /* cookie, checksum, version, type 2-4 */
};

/* Decode whatever is there; *ret is filled unless ABSENT. */
extern enum vhd_footer_state
vhd_footer_decode (const struct vhd_footer_disk *d, struct vhd_footer *ret);
extern void vhd_footer_encode (const struct vhd_footer *f,
                               struct vhd_footer_disk *ret);

/* The fields of a footer that decoded as VALID, each for itself and against
 * the length of the file (vhd-format 9.2 points 3 to 5).  offset: where the
 * footer was found.  Returns 0, or -1 when the report says stop or the image
 * cannot be used at all. */
extern int vhd_footer_validate (const struct vhd_footer *f, uint64_t offset,
                                uint64_t file_size, struct report *r);
/* Can the dynamic header be where the footer at offset says?  Part of
 * validate, for callers that look at a footer before they believe it. */
extern bool vhd_footer_header_placed (const struct vhd_footer *f,
                                      uint64_t offset, uint64_t file_size);

/* Decode the dynamic header at offset: cookie, checksum, version, then the
 * fields and relations of 9.2 points 5, 6 and 8.  Returns 0, or -1 when the
 * report says stop or the block size or the table cannot be used. */
extern int vhd_header_decode (const struct vhd_header_disk *d, uint64_t offset,
                              const struct vhd_footer *f, uint64_t file_size,
                              struct report *r, struct vhd_header *ret);
extern void vhd_header_encode (const struct vhd_header *h,
                               struct vhd_header_disk *ret);

/* Space that a locator's payload may occupy, in bytes (6.3). */
extern uint64_t vhd_locator_space (const struct vhd_locator *l);
/* Is the slot in use, with a payload that can be read: inside the file and of
 * 1 to 65536 bytes? */
extern bool vhd_locator_usable (const struct vhd_locator *l,
                                uint64_t file_size);

/* Bytes of the sector bitmap in front of each block's data (4.1). */
static inline uint32_t
vhd_bitmap_bytes (uint32_t block_size)
{
  uint32_t bytes = (block_size / SECTOR_SIZE + 7) / 8;
  return (bytes + SECTOR_SIZE - 1) / SECTOR_SIZE * SECTOR_SIZE;
}

/* Geometry of a disk of size bytes (2.1). */
extern void vhd_geometry (uint64_t size, uint16_t *ret_cylinders,
                          uint8_t *ret_heads, uint8_t *ret_sectors);
static inline uint64_t
vhd_chs_size (const struct vhd_footer *f)
{
  return (uint64_t) f->cylinders * f->heads * f->sectors * SECTOR_SIZE;
}

/* Does this creator store ids in Windows memory order (1.3)? */
extern bool vhd_creator_windows_order (const uint8_t creator[4]);
extern bool vhd_creator_is_tap (const struct vhd_footer *f);

/* A footer and header for a new image (writer profile, section 11): features,
 * version, offsets, creator "win " 6.1, sizes and geometry; the caller sets
 * id, timestamp and what belongs to a parent.  table_offset: where the table
 * goes. */
extern void vhd_footer_init (struct vhd_footer *f, uint32_t type,
                             uint64_t size);
extern void vhd_header_init (struct vhd_header *h, uint64_t size,
                             uint32_t block_size, uint64_t table_offset);

/* Header of the batmap of XenServer images (7.1); image/batmap.c takes it apart,
 * and check looks at the checksum, which is that of the map. */
struct vhd_batmap_disk {
  uint8_t cookie[8];
  be64 offset;
  be32 sectors;
  be32 version;
  be32 checksum;
  uint8_t marker;
  uint8_t key_hash_set;
  uint8_t key_hash[64];
  uint8_t reserved[418];
};
static_assert (sizeof (struct vhd_batmap_disk) == 512, "one sector");
static_assert (offsetof (struct vhd_batmap_disk, key_hash_set) == 29, "7.1");

#endif
