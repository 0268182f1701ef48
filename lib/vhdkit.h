/* vhdkit: VHD images as network disks.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The public interface of libvhdkit.
 *
 * Conventions.  A function returns 0 on success and -1 on failure, or a
 * pointer and NULL.  After a failure the calling thread's last error holds an
 * enum vhdkit_error, an errno and one sentence (vhdkit_get_error and friends);
 * it stays until the next failure in that thread.  The library never prints
 * and never exits.  Output arguments are called ret_... and are written only
 * on success.  Sizes and offsets are bytes unless the name says otherwise.
 * Strings are UTF-8 or, for file names, whatever bytes the system uses.
 *
 * Threads.  Different objects may be used from different threads at once.
 * For one vhdkit_disk, the data calls (pread ... extents) may be used from any
 * number of threads at once; vhdkit_close must be the last call.
 */
#ifndef VHDKIT_H
#define VHDKIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Everything declared here is exported; nothing else of the library is. */
#if defined __GNUC__
#pragma GCC visibility push (default)
#endif

/*----------------------------------------------------------------------
 * Errors
 *--------------------------------------------------------------------*/

/* What went wrong.  The identity of an error; the Win32 number and the
 * HRESULT below are views of it.  The order is fixed: values are never
 * renumbered.  docs/errors.md has the numbers. */
enum vhdkit_error {
  VHDKIT_OK = 0,                      /* no error */
  VHDKIT_ERR_NULL_POINTER,            /* an argument that must not be is NULL */
  VHDKIT_ERR_INVALID_PARAMETER,       /* an argument is not possible */
  VHDKIT_ERR_NO_MEMORY,
  VHDKIT_ERR_FILE_NOT_FOUND,
  VHDKIT_ERR_PATH_NOT_FOUND,          /* a folder on the way is missing */
  VHDKIT_ERR_ACCESS_DENIED,           /* by the system, or the access mask */
  VHDKIT_ERR_READ_ONLY,               /* the disk, or its file system, is */
  VHDKIT_ERR_SHARING_VIOLATION,       /* another process has it locked */
  VHDKIT_ERR_EXISTS,                  /* something has this name already */
  VHDKIT_ERR_NAME_TOO_LONG,           /* for the system, or to be recorded */
  VHDKIT_ERR_DISK_FULL,               /* no space left, or no quota */
  VHDKIT_ERR_INVALID_NAME,            /* characters that cannot be in a name */
  VHDKIT_ERR_BAD_PATHNAME,            /* an empty path, or a relative one */
  VHDKIT_ERR_SIZE_TOO_LARGE,          /* of a new disk */
  VHDKIT_ERR_SIZE_TOO_SMALL,
  VHDKIT_ERR_FILE_TOO_LARGE_FOR_FS,   /* more than one file can hold */
  VHDKIT_ERR_SHUTTING_DOWN,           /* the context takes no tasks any more */
  VHDKIT_ERR_TIMED_OUT,
  VHDKIT_ERR_CANCELLED,               /* on request of the caller */
  VHDKIT_ERR_CANCEL_TOO_LATE,         /* the task is complete */
  VHDKIT_ERR_NOT_CANCELABLE,
  VHDKIT_ERR_PENDING,                 /* of a task that is not complete */
  VHDKIT_ERR_NOT_SUPPORTED,           /* by this library, or by the host */
  VHDKIT_ERR_IO,                      /* its errno says more */
  VHDKIT_ERR_UNEXPECTED,              /* what should not happen */
  VHDKIT_ERR_FOOTER_MISSING,          /* and no copy can stand in */
  VHDKIT_ERR_FOOTER_CHECKSUM,
  VHDKIT_ERR_FOOTER_CORRUPT,          /* a field is wrong */
  VHDKIT_ERR_FORMAT_UNKNOWN,          /* not a VHD image */
  VHDKIT_ERR_UNSUPPORTED_VERSION,     /* of the footer */
  VHDKIT_ERR_HEADER_CHECKSUM,         /* of the dynamic header */
  VHDKIT_ERR_HEADER_UNSUPPORTED_VERSION,
  VHDKIT_ERR_HEADER_CORRUPT,          /* a field or a locator is wrong */
  VHDKIT_ERR_BLOCK_ALLOCATION_FAILURE, /* check: space that no block uses */
  VHDKIT_ERR_BAT_CORRUPT,             /* the block table, or an entry of it */
  VHDKIT_ERR_INVALID_BLOCK_SIZE,
  VHDKIT_ERR_BITMAP_MISMATCH,         /* sector bitmap or batmap is untrue */
  VHDKIT_ERR_PARENT_NOT_FOUND,
  VHDKIT_ERR_PARENT_ID_MISMATCH,      /* what is there is another image */
  VHDKIT_ERR_PARENT_TIMESTAMP_MISMATCH, /* the parent was written to since */
  VHDKIT_ERR_METADATA_READ_FAILURE,   /* the host cannot read it */
  VHDKIT_ERR_METADATA_WRITE_FAILURE,  /* not used yet */
  VHDKIT_ERR_INVALID_SIZE,            /* the size of the disk, in the footer */
  VHDKIT_ERR_INVALID_FILE_SIZE,       /* too short or long for the disk */
  VHDKIT_ERR_PROVIDER_NOT_FOUND,      /* a storage type that is not VHD */
  VHDKIT_ERR_NOT_VIRTUAL_DISK,        /* a folder, a FIFO, too short, ... */
  VHDKIT_ERR_PARENT_ACCESS_DENIED,
  VHDKIT_ERR_PARENT_SIZE_MISMATCH,    /* parent and child differ in size */
  VHDKIT_ERR_CHAIN_CYCLE,             /* an image would be its own parent */
  VHDKIT_ERR_CHAIN_ERROR,             /* a parent cannot be used */
  VHDKIT_ERR_HOST_LIMITATION,         /* a compressed or encrypted place */
  VHDKIT_ERR_WRONG_TYPE,              /* not for this type of image */
  VHDKIT_ERR_WRONG_STATE,             /* of a disk, a parent, a context */
  VHDKIT_ERR_SECTOR_SIZE,             /* of a device: not 512 bytes */
  VHDKIT_ERR_SOURCE_OWNED,            /* a device that somebody holds */
  VHDKIT_ERR_SOURCE_ONLINE,           /* one that is mounted or written to */
  VHDKIT_ERR_WOULD_TRUNCATE,          /* not used yet, as the next two */
  VHDKIT_ERR_NO_MIN_SIZE,
  VHDKIT_ERR_AT_MIN_SIZE,
  VHDKIT_ERR_BAD_INDEX,               /* there is no such task, or layer */
  VHDKIT_ERR_INSUFFICIENT_BUFFER,     /* *len is what would do */
  VHDKIT_ERR_LAST_                    /* one past the last; not an error */
};

/* The last error of the calling thread: the sentence (never NULL, valid until
 * the thread's next call into the library), the code, and an errno (never
 * negative).  Damage in an image has errno EIO, so that it can be passed on
 * to an NBD client as it is. */
extern const char *vhdkit_get_error (void);
extern enum vhdkit_error vhdkit_get_error_code (void);
extern int vhdkit_get_errno (void);

/* Name of a code without prefix ("PARENT_NOT_FOUND"); never NULL. */
extern const char *vhdkit_error_name (enum vhdkit_error code);

/* Views of a code: the Win32 error number, the HRESULT that Virtual Server
 * 2005 uses for it, the HRESULT that the Virtual Disk Service uses for it; 0
 * for VHDKIT_OK and where that interface has no such code.
 * docs/errors.md shows all of them. */
extern uint32_t vhdkit_error_win32 (enum vhdkit_error code);
extern uint32_t vhdkit_error_hresult (enum vhdkit_error code);
extern uint32_t vhdkit_error_hresult_vds (enum vhdkit_error code);

/* "vhdkit 0.1.0", for --version and dump_plugin. */
extern const char *vhdkit_version (void);

/*----------------------------------------------------------------------
 * Findings: what validation has to say of an image
 *--------------------------------------------------------------------*/

enum vhdkit_severity {
  VHDKIT_SEVERITY_NOTE = 0,     /* unusual, harmless */
  VHDKIT_SEVERITY_WARNING,      /* wrong, but the data is what it should be */
  VHDKIT_SEVERITY_LEAK,         /* space is lost, no data */
  VHDKIT_SEVERITY_ERROR         /* data is damaged or out of reach */
};

/* One finding.  The strings live only during the callback. */
struct vhdkit_finding {
  enum vhdkit_severity severity;
  enum vhdkit_error code;
  const char *file;             /* which file of the chain */
  const char *structure;        /* "footer", "BAT entry 17", ... */
  uint64_t offset;              /* bytes from the start of that file */
  const char *found;
  const char *expected;
  const char *meaning;          /* what it means for the data, what to do */
};

/* Returning non-zero ends the validation early. */
typedef int (*vhdkit_finding_fn) (void *opaque,
                                  const struct vhdkit_finding *finding);

/*----------------------------------------------------------------------
 * Opening a disk: one image and its parents, read and written as one
 *--------------------------------------------------------------------*/

typedef struct vhdkit_disk vhdkit_disk;

/* What the disk may be used for.  The numbers are those of Windows'
 * VIRTUAL_DISK_ACCESS_MASK.  ATTACH_RW or METAOPS make the disk writable;
 * without either nothing is ever written.  Reading is always allowed; GET_INFO
 * is for vhdkit_get_info, METAOPS for vhdkit_set_info, and DETACH and CREATE
 * mean nothing here. */
#define VHDKIT_ACCESS_NONE       0x00000000u
#define VHDKIT_ACCESS_ATTACH_RO  0x00010000u
#define VHDKIT_ACCESS_ATTACH_RW  0x00020000u
#define VHDKIT_ACCESS_DETACH     0x00040000u
#define VHDKIT_ACCESS_GET_INFO   0x00080000u
#define VHDKIT_ACCESS_CREATE     0x00100000u
#define VHDKIT_ACCESS_METAOPS    0x00200000u
#define VHDKIT_ACCESS_READ       0x000d0000u
#define VHDKIT_ACCESS_WRITABLE   0x00320000u
#define VHDKIT_ACCESS_ALL        0x003f0000u

/* How to open.  The low 16 bits have the numbers of Windows'
 * OPEN_VIRTUAL_DISK_FLAG, the high ones are our own. */
#define VHDKIT_OPEN_NO_PARENTS        0x00000001u /* this file only; what it
                                                     lacks reads as zeros */
#define VHDKIT_OPEN_CACHED_IO         0x00000008u /* no effect: the cache of
                                                     the host is always used */
#define VHDKIT_OPEN_PARENT_CACHED_IO  0x00000020u /* the same */
#define VHDKIT_OPEN_NO_LOCK           0x00010000u /* take no file locks */
#define VHDKIT_OPEN_IGNORE_PARENT_ID  0x00020000u /* parents with another id */
#define VHDKIT_OPEN_CONFINE           0x00040000u /* every parent must lie
                                                     beneath confine_dir or a
                                                     search directory, and the
                                                     image beneath confine_dir
                                                     if that is given */
#define VHDKIT_OPEN_SIZE_CHS          0x00080000u /* size from the geometry, as
                                                     Virtual PC and qemu do */
#define VHDKIT_OPEN_INSPECT           0x00100000u /* for information only: a
                                                     parent that is missing or
                                                     damaged ends the chain
                                                     instead of failing, and
                                                     says so in candidates;
                                                     the data calls fail */
#define VHDKIT_OPEN_STRICT_PARENT     0x00400000u /* a parent with another
                                                     size or modification time
                                                     than recorded is an error,
                                                     not only a finding */
#define VHDKIT_CHECK_DATA             0x00200000u /* vhdkit_check: also read
                                                     the data, for what only
                                                     shows there (slow) */

/* Options of vhdkit_open.  Zero every field that is not used (= default);
 * struct_size must be sizeof (struct vhdkit_open_options). */
struct vhdkit_open_options {
  size_t struct_size;
  /* Parents given by hand, nearest first; they go before what the images say.
   * "raw:PATH" names a raw file, which can only be the last. */
  const char *const *parents;
  size_t nr_parents;
  /* Directories to look for parents in, after the places an image names. */
  const char *const *search;
  size_t nr_search;
  /* For VHDKIT_OPEN_CONFINE: an absolute path, with which that of the image
   * must begin.  NULL: the directory of the image. */
  const char *confine_dir;
  /* Seconds between background commits of metadata; 0 means the default, 5;
   * negative means only on flush. */
  int commit_interval;
  /* Bytes, half of them for the sector bitmaps of the image, half for what
   * its parents hold; 0 means the default, 64 MiB; 8 KiB is the least. */
  uint64_t metadata_cache;
  /* Called, in the thread that opens, for everything odd that does not keep the
   * image from opening; may be NULL. */
  vhdkit_finding_fn on_finding;
  void *opaque;
};

/* Open the image at path and the chain of its parents.  opts may be NULL; it,
 * and what it points to, are needed during the call only.
 *
 * Validates everything before use (docs/vhd-format.md, 9.2); a damaged image
 * is refused with a message naming structure, offset, found and expected.
 * Opened read-only, entries of the block table that lead nowhere are
 * tolerated: only those blocks read as EIO.  May block on disk I/O.  Any
 * thread.
 * Errors: FILE_NOT_FOUND, ACCESS_DENIED, SHARING_VIOLATION (locked by another
 * writer), FORMAT_UNKNOWN, FOOTER_*, HEADER_*, BAT_CORRUPT, INVALID_*,
 * PARENT_*, CHAIN_*, READ_ONLY, NO_MEMORY, IO. */
extern int vhdkit_open (const char *path, uint32_t access_mask, uint32_t flags,
                        const struct vhdkit_open_options *opts,
                        vhdkit_disk **ret_disk);

/* Make a disk that was opened read-only writable, in place: validates what
 * only writers need, takes the writer's lock.  Nothing changes on failure.
 * No other call on the disk may run at the same time except data calls.
 * Errors: as vhdkit_open. */
extern int vhdkit_upgrade (vhdkit_disk *disk);

/* Commit everything and free the disk, also when committing fails (then -1,
 * and what was not flushed may be lost).  NULL is allowed. */
extern int vhdkit_close (vhdkit_disk *disk);

/*----------------------------------------------------------------------
 * Data.  All may block on disk I/O; all are safe from any thread at once.
 * Offsets and counts are bytes of any alignment, counts are never partial,
 * and buffers stay the caller's.  After a failed write or zero any part of
 * the range may be old or new.
 * Errors: IO (errno EIO), and damage met on the way (BAT_CORRUPT, EIO);
 * DISK_FULL (ENOSPC), READ_ONLY (EPERM), INVALID_PARAMETER (EINVAL: past the
 * end, unknown flags), WRONG_STATE (opened with INSPECT), NULL_POINTER,
 * NO_MEMORY.
 *--------------------------------------------------------------------*/

#define VHDKIT_FUA        0x1   /* durable before the call returns */
#define VHDKIT_MAY_TRIM   0x2   /* zero: the space may be given back */
#define VHDKIT_FAST_ZERO  0x4   /* zero: fail with ENOTSUP (code NOT_SUPPORTED),
                                   nothing written, if not faster than writing */

/* Virtual size in bytes; always a multiple of 512, and the same as long as the
 * disk is open.  disk must not be NULL. */
extern uint64_t vhdkit_size (vhdkit_disk *disk);
/* 1 or 0.  disk must not be NULL. */
extern int vhdkit_is_writable (vhdkit_disk *disk);

/* Read through all layers. */
extern int vhdkit_pread (vhdkit_disk *disk, void *buf, size_t count,
                         uint64_t offset);
/* Write to the image itself, never to a parent.  flags: 0 or VHDKIT_FUA. */
extern int vhdkit_pwrite (vhdkit_disk *disk, const void *buf, size_t count,
                          uint64_t offset, uint32_t flags);
/* Make the range read as zeros.  flags: any of the three above. */
extern int vhdkit_zero (vhdkit_disk *disk, uint64_t count, uint64_t offset,
                        uint32_t flags);
/* Give the space of the range back; whole sectors in it then read as zeros,
 * sectors only touched by it are left alone.  flags: 0 or VHDKIT_FUA. */
extern int vhdkit_trim (vhdkit_disk *disk, uint64_t count, uint64_t offset,
                        uint32_t flags);
/* Every write that was completed before this call is durable after it.
 * After a failed fdatasync the disk refuses writes with EIO for good. */
extern int vhdkit_flush (vhdkit_disk *disk);
/* Tell the host that the range will be read soon.  A hint: that the host
 * cannot follow it is no error. */
extern int vhdkit_cache (vhdkit_disk *disk, uint64_t count, uint64_t offset);

#define VHDKIT_EXTENT_HOLE  0x1 /* no space is taken in the owning layer */
#define VHDKIT_EXTENT_ZERO  0x2 /* reads as zeros */

/* One extent.  layer: 0 is the image itself, 1 its parent, ...; -1 where no
 * layer holds the data (then HOLE and ZERO are set).  file_offset: where the
 * data is in that layer's file, or UINT64_MAX. */
struct vhdkit_extent {
  uint64_t offset;
  uint64_t length;
  uint32_t flags;
  int layer;
  uint64_t file_offset;
};

/* Call fn for consecutive, sector-exact extents from offset on; they cover
 * the range exactly.  fn returns 0 to go on; 1 ends the walk with success, -1
 * with failure (the error fn left behind).  It is called in this thread, in the
 * midst of a look at the disk: calling back into the same disk can wait for
 * ever. */
extern int vhdkit_extents (vhdkit_disk *disk, uint64_t count, uint64_t offset,
                           int (*fn) (void *opaque,
                                      const struct vhdkit_extent *extent),
                           void *opaque);

/*----------------------------------------------------------------------
 * Information
 *--------------------------------------------------------------------*/

enum vhdkit_disk_type {         /* the numbers of the footer */
  VHDKIT_TYPE_RAW = 0,          /* a raw file as parent: not a VHD */
  VHDKIT_TYPE_FIXED = 2,
  VHDKIT_TYPE_DYNAMIC = 3,
  VHDKIT_TYPE_DIFFERENCING = 4
};

/* A parent locator, or the parent name of the header (platform "name"). */
struct vhdkit_locator {
  char platform[5];             /* "W2ru", "W2ku", "MacX", ...; "name" */
  uint64_t offset;              /* of the payload in the file */
  uint32_t length;              /* of the payload */
  uint32_t space;               /* as stored */
  const char *text;             /* UTF-8; NULL if it cannot be read */
  const char *problem;          /* why it cannot be read; NULL if it can */
};

enum vhdkit_candidate_state {
  VHDKIT_CANDIDATE_NOT_TRIED,   /* the search ended before */
  VHDKIT_CANDIDATE_ABSENT,      /* there is no such file */
  VHDKIT_CANDIDATE_UNUSABLE,    /* it will not do, or may not be opened */
  VHDKIT_CANDIDATE_USED         /* it is the parent */
};

/* One place where the parent was looked for, in the order tried.  The texts
 * are for people: control characters and what is not UTF-8 are escaped as
 * \xNN, and what is longer than 4096 bytes is cut. */
struct vhdkit_candidate {
  const char *path;
  const char *source;           /* "parent=", "W2ru", "name", "search=", ... */
  const char *outcome;          /* "used", "no such file", "other id ...", ... */
  enum vhdkit_candidate_state state;
};

/* All there is to know of one layer.  Owned by the disk. */
struct vhdkit_layer_info {
  const char *path;             /* as opened */
  enum vhdkit_disk_type type;
  uint64_t virtual_size;        /* what is served: the footer's current size */
  uint64_t chs_size;            /* cylinders x heads x sectors x 512 */
  uint64_t original_size;
  uint64_t file_size;           /* apparent */
  uint64_t allocated_size;      /* what the host file takes (st_blocks) */
  uint8_t id[16];               /* the bytes on disk */
  char id_text[37];             /* as its creator would print it (1.3) */
  uint32_t features, version;
  uint32_t timestamp;           /* of creation: seconds since 2000, UTC */
  char creator[5];
  uint16_t creator_major, creator_minor;
  char creator_os[5];
  uint16_t cylinders;
  uint8_t heads, sectors;
  uint8_t saved_state;
  uint8_t hidden;               /* XenServer's flag at 0x55 */
  uint32_t checksum;
  int footer_missing;           /* served from the copy at the start */
  /* Dynamic and differencing only; else 0. */
  uint64_t header_offset, table_offset;
  uint32_t table_entries, block_size;
  uint32_t blocks_allocated;
  int data_aligned;             /* every block's data begins at 4 KiB */
  int has_batmap;
  /* Differencing only. */
  uint8_t parent_id[16];
  char parent_id_text[37];
  uint32_t parent_timestamp;    /* seconds since 2000, UTC; 0: not recorded */
  const struct vhdkit_locator *locators;
  size_t nr_locators;
  const struct vhdkit_candidate *candidates;
  size_t nr_candidates;
};

/* Number of layers, the image itself included (NO_PARENTS: 1).  disk must not
 * be NULL. */
extern size_t vhdkit_layers (vhdkit_disk *disk);
/* Layer 0 is the image itself.  The answer belongs to the disk and is valid
 * until the next call for that layer, or vhdkit_close: two threads must not ask
 * for one layer at once; data calls may run meanwhile.  disk must not be NULL.
 * NULL: BAD_INDEX (no such layer), IO, NO_MEMORY. */
extern const struct vhdkit_layer_info *vhdkit_layer (vhdkit_disk *disk,
                                                     size_t layer);

/*----------------------------------------------------------------------
 * Contexts and tasks: long operations that run while the caller does
 * something else.  docs/tasks.md tells more.
 *
 * Every call here may be made from any thread, and from several at once; none
 * waits for an operation except vhdkit_task_wait and vhdkit_context_free.
 * Neither contexts nor tasks live on in the child of a fork.
 *--------------------------------------------------------------------*/

typedef struct vhdkit_context vhdkit_context;
typedef struct vhdkit_task vhdkit_task;

/* Options of vhdkit_context_new.  Zero every field that is not used;
 * struct_size must be sizeof (struct vhdkit_context_options). */
struct vhdkit_context_options {
  size_t struct_size;
  /* How many tasks run at once, at most 64; more wait for their turn.  0: as
   * many as there are processors, at most 4.  Threads are started when there
   * is something to do. */
  unsigned threads;
};

/* Make a context.  opts may be NULL.
 * Errors: NULL_POINTER, INVALID_PARAMETER, NO_MEMORY. */
extern int vhdkit_context_new (const struct vhdkit_context_options *opts,
                               vhdkit_context **ret_ctx);

/* The context that is meant wherever NULL is given for one; made when first
 * needed.  NULL with NO_MEMORY. */
extern vhdkit_context *vhdkit_context_default (void);

/* From now on new tasks are refused with SHUTTING_DOWN.  Those that have not
 * begun, and the cancelable ones that run, end with the result
 * SHUTDOWN_ABORT.  Does not wait for them.  ctx NULL: the default context. */
extern void vhdkit_context_shutdown (vhdkit_context *ctx);

/* Shut down, wait until every task is complete, end the threads, and free the
 * context.  Tasks that the caller still has stay valid.  The default context
 * is only emptied and stays shut down.  NULL is allowed and does nothing.
 * Must not be called from inside an operation of the same context. */
extern void vhdkit_context_free (vhdkit_context *ctx);

enum vhdkit_task_state {
  VHDKIT_TASK_RUNNING = 0,      /* or waiting for its turn */
  VHDKIT_TASK_DONE
};

/* What became of a task: the numbers of Virtual Server's VMTaskResult, and
 * NONE until the task is complete. */
enum vhdkit_task_result {
  VHDKIT_RESULT_NONE = -1,
  VHDKIT_RESULT_SUCCESS = 0,
  VHDKIT_RESULT_CANCELLED = 1,
  VHDKIT_RESULT_UNEXPECTED_ERROR = 2,
  VHDKIT_RESULT_OUT_OF_MEMORY = 3,
  VHDKIT_RESULT_DISK_RELATED_ERROR = 4,
  VHDKIT_RESULT_INCOMPATIBLE_SAVED_STATE = 5, /* never: no machines here */
  VHDKIT_RESULT_TIME_OUT = 6,
  VHDKIT_RESULT_ILLEGAL_VALUE = 7,  /* an image, a name or a value that cannot
                                       be used was met while running */
  VHDKIT_RESULT_THREAD_CRASH = 8,   /* its thread ended inside the operation */
  VHDKIT_RESULT_SHUTDOWN_ABORT = 9
};

/* All there is to know of a task at one moment.  The strings belong to the
 * task and live as long as the caller's reference to it. */
struct vhdkit_task_info {
  size_t struct_size;
  uint64_t id;                  /* grows; never used twice in a process */
  const char *kind;             /* "create", ... */
  const char *description;      /* for people; never empty */
  enum vhdkit_task_state state;
  /* 0 to 99 while running; never falls; 100 after success and only then.
   * After a failure it stays where it was. */
  int percent;
  int cancelable;
  /* What the operation last said of itself; total 0: nothing yet. */
  uint64_t done_bytes, total_bytes;
  enum vhdkit_task_result result;
  /* Why it failed.  PENDING (errno EINPROGRESS) while running, OK (0) after
   * success. */
  enum vhdkit_error error;
  int error_errno;
  const char *error_text;       /* "" unless it failed */
};

/* Write the status of the task at this moment; its struct_size must be
 * set to sizeof (struct vhdkit_task_info).  A task that failed is a success
 * here.  Errors: NULL_POINTER, INVALID_PARAMETER. */
extern int vhdkit_task_status (vhdkit_task *task,
                               struct vhdkit_task_info *ret_status);

/* The same one by one; task must not be NULL. */
extern uint64_t vhdkit_task_id (vhdkit_task *task);
extern const char *vhdkit_task_description (vhdkit_task *task);
extern int vhdkit_task_is_cancelable (vhdkit_task *task);
extern int vhdkit_task_is_complete (vhdkit_task *task);
extern int vhdkit_task_percent (vhdkit_task *task);
extern enum vhdkit_task_result vhdkit_task_result (vhdkit_task *task);
extern enum vhdkit_error vhdkit_task_error (vhdkit_task *task);
extern const char *vhdkit_task_error_text (vhdkit_task *task);

/* Wait until the task is complete, at most timeout_ms milliseconds: 0 looks
 * and returns, -1 waits for ever, 4,000,000 is the longest.  Any number of
 * threads may wait, and again later.
 *
 * Two codes: 0 says that the task is complete, not that its operation
 * succeeded.  That is what vhdkit_task_error says, and if the operation failed
 * its error, sentence and all, is now the calling thread's last error too:
 *
 *     if (vhdkit_task_wait (t, -1) == -1
 *         || vhdkit_task_error (t) != VHDKIT_OK)
 *       fprintf (stderr, "%s\n", vhdkit_get_error ());
 *
 * Errors: TIMED_OUT (the task goes on), INVALID_PARAMETER, NULL_POINTER,
 * WRONG_STATE (an operation waiting for itself). */
extern int vhdkit_task_wait (vhdkit_task *task, int timeout_ms);

/* Ask the operation to stop, and return at once.  A task that has not begun is
 * complete when the call returns; another one when its operation has cleaned
 * up behind itself, within 100 ms unless the system keeps it in a call that
 * cannot be interrupted.  An operation that was past its last step may still
 * succeed: the result tells.
 * Errors, and nothing changes: CANCELLED (was already asked to stop),
 * CANCEL_TOO_LATE (is complete), NOT_CANCELABLE, NULL_POINTER. */
extern int vhdkit_task_cancel (vhdkit_task *task);

/* A file descriptor that becomes readable when the task is complete, and stays
 * so, for poll and event loops.  It belongs to the task: do not read from it,
 * do not close it, and stop watching it before vhdkit_task_free.
 * -1: IO (no file descriptors left), NO_MEMORY, NULL_POINTER. */
extern int vhdkit_task_fd (vhdkit_task *task);

/* Give the reference back.  A running task goes on without it; nobody learns
 * how it ends.  NULL is allowed. */
extern void vhdkit_task_free (vhdkit_task *task);

/* The running tasks of a context (NULL: the default context), oldest first.
 * item and list give references of their own, to be given back with
 * vhdkit_task_free.  index counts from 0; between count and item tasks may end
 * and others move up, which list spares the caller: an array of *ret_count
 * tasks, itself to be freed with free.
 * Errors: BAD_INDEX, NULL_POINTER, NO_MEMORY. */
extern size_t vhdkit_tasks_count (vhdkit_context *ctx);
extern int vhdkit_tasks_item (vhdkit_context *ctx, size_t index,
                              vhdkit_task **ret_task);
extern int vhdkit_tasks_list (vhdkit_context *ctx, vhdkit_task ***ret_tasks,
                              size_t *ret_count);

/* Views: what other interfaces make of the same task; task must not be NULL.
 *
 * _win32 is GetVirtualDiskOperationProgress: returns OperationStatus, 997
 * (ERROR_IO_PENDING) while running, 995 after cancelling, 0 after success;
 * value / completion is the progress.
 * _hresult is IVMTask2.Error: 0 while running and after success.
 * _vds is IVdsAsync.QueryStatus: returns the operation's HRESULT, 80042409
 * (VDS_E_OPERATION_PENDING) while running; percent is 0 to 99 while running,
 * 100 after success, 0 after a failure.
 * The pointers may be NULL. */
extern uint32_t vhdkit_task_status_win32 (vhdkit_task *task,
                                          uint64_t *ret_value,
                                          uint64_t *ret_completion);
extern uint32_t vhdkit_task_status_hresult (vhdkit_task *task);
extern uint32_t vhdkit_task_status_vds (vhdkit_task *task,
                                        uint32_t *ret_percent);

/*----------------------------------------------------------------------
 * Check
 *--------------------------------------------------------------------*/

struct vhdkit_check_result {
  uint64_t errors, leaks, warnings, notes;      /* findings, of all layers */
  uint64_t leaked_bytes;                /* of the host, of all layers */
  /* Of the image itself (layer 0). */
  uint64_t blocks_total, blocks_allocated;      /* 0 if it is fixed */
  uint64_t image_end_offset;            /* bytes: where its data ends in its
                                           file */
};

/* Examine an image and its whole chain, read-only, and report every finding.
 * Returns 0 when the examination could be made, whatever it found; -1 when it
 * could not (no such file, no permission, locked by a writer, not a VHD at
 * all).  flags: VHDKIT_CHECK_DATA, and of those of vhdkit_open NO_PARENTS,
 * NO_LOCK, IGNORE_PARENT_ID, CONFINE, and SIZE_CHS and INSPECT, which change
 * nothing; opts as for vhdkit_open (its on_finding gets the findings;
 * returning non-zero ends the check with what it has).  Of a great many
 * findings of one kind the first hundred are told one by one, the rest by one
 * more; the counts have all.  Blocks on disk I/O, for as long as reading
 * everything takes with CHECK_DATA.  Any thread.
 * Errors: as vhdkit_open, and INVALID_PARAMETER, NULL_POINTER. */
extern int vhdkit_check (const char *path, uint32_t flags,
                         const struct vhdkit_open_options *opts,
                         struct vhdkit_check_result *ret_result);

/*----------------------------------------------------------------------
 * Create
 *--------------------------------------------------------------------*/

struct vhdkit_create_options {
  size_t struct_size;
  enum vhdkit_disk_type type;
  uint64_t size;                /* bytes; 0 for differencing */
  uint32_t block_size;          /* bytes; 0: 2 MiB, or the parent's */
  uint8_t id[16];               /* all zero: a random one is made */
  const char *parent;           /* differencing: path of the parent */
  uint32_t flags;               /* VHDKIT_CREATE_... */
  const char *creator;          /* 4 bytes; NULL: "win " */
};

#define VHDKIT_CREATE_RAW_PARENT     0x01 /* the parent is a raw file */
#define VHDKIT_CREATE_ANY_BLOCK_SIZE 0x02 /* any power of two from 4 KiB to
                                             256 MiB, not only the 512 KiB and
                                             2 MiB that all programs read */
#define VHDKIT_CREATE_ANY_SIZE       0x04 /* also below 3 MiB */
/* Fixed images reserve their space; where the file system cannot do that they
 * are sparse, unless told otherwise: */
#define VHDKIT_CREATE_PREALLOCATE    0x08 /* then write zeros */
#define VHDKIT_CREATE_SPARSE         0x10 /* never reserve */

/* Make a new image at path, which must not exist; on failure nothing is left
 * there.  The image is durable when the call returns.
 * Errors: EXISTS, SIZE_TOO_SMALL, SIZE_TOO_LARGE, INVALID_PARAMETER,
 * PATH_NOT_FOUND, INVALID_NAME, DISK_FULL, FILE_TOO_LARGE_FOR_FS,
 * ACCESS_DENIED, NO_MEMORY, IO; and of the parent: FILE_NOT_FOUND,
 * PARENT_ACCESS_DENIED, SHARING_VIOLATION (open for writing), CHAIN_ERROR (not
 * an image, or a damaged one), WRONG_STATE (without an id), INVALID_SIZE (raw,
 * not a multiple of 512), INVALID_NAME, NAME_TOO_LONG (cannot be recorded). */
extern int vhdkit_create_image (const char *path,
                                const struct vhdkit_create_options *opts);

/*----------------------------------------------------------------------
 * Create by Windows' rules: CreateVirtualDisk
 *--------------------------------------------------------------------*/

/* VIRTUAL_STORAGE_TYPE.  The vendor is a GUID in Windows memory order; all
 * zero is "unknown". */
struct vhdkit_storage_type {
  uint32_t device_id;           /* VHDKIT_DEVICE_... */
  uint8_t vendor_id[16];
};

#define VHDKIT_DEVICE_UNKNOWN 0u        /* decided by the name: *.vhd */
#define VHDKIT_DEVICE_ISO     1u
#define VHDKIT_DEVICE_VHD     2u        /* the only one there is here */
#define VHDKIT_DEVICE_VHDX    3u
#define VHDKIT_DEVICE_VHDSET  4u

/* {EC984AEC-A0F9-47E9-901F-71415A66345B}, an initialiser for vendor_id. */
#define VHDKIT_VENDOR_MICROSOFT                                         \
  { 0xec, 0x4a, 0x98, 0xec, 0xf9, 0xa0, 0xe9, 0x47,                     \
    0x90, 0x1f, 0x71, 0x41, 0x5a, 0x66, 0x34, 0x5b }

/* What Windows has a security descriptor for.  Applied before any data is
 * written. */
struct vhdkit_security {
  uint32_t set;                 /* which of these: VHDKIT_SECURITY_... */
  uint32_t mode;                /* permission bits, 0 to 07777; no umask */
  uint32_t owner, group;        /* numeric ids */
  /* A POSIX access control list as setfacl -m has it, entries separated by
   * commas: "u::rw,u:1000:r,g::r,m::rw,o::-".  Missing u::, g:: and o:: are
   * taken from the mode; a missing m:: is what covers all it must. */
  const char *acl;
};

#define VHDKIT_SECURITY_MODE  0x1u
#define VHDKIT_SECURITY_OWNER 0x2u
#define VHDKIT_SECURITY_GROUP 0x4u
#define VHDKIT_SECURITY_ACL   0x8u

/* CREATE_VIRTUAL_DISK_FLAG; there are no others here. */
#define VHDKIT_CREATE_FLAG_NONE                     0x0u
#define VHDKIT_CREATE_FLAG_FULL_PHYSICAL_ALLOCATION 0x1u /* a fixed disk */

/* What is asked of the host; no Windows counterpart. */
#define VHDKIT_HOST_ALLOW_COMPRESSED 0x01u /* where files are compressed */
#define VHDKIT_HOST_ALLOW_ENCRYPTED  0x02u /* where files are encrypted */
#define VHDKIT_HOST_FORCE_SOURCE     0x04u /* a block device in use, too */
#define VHDKIT_HOST_CREATE_FOLDER    0x08u /* make the folder of the image if
                                              it is the only one missing */
#define VHDKIT_HOST_CREATE_FOLDERS   0x10u /* make all that are missing */
#define VHDKIT_HOST_SPARSE           0x20u /* fixed: never reserve the space */
#define VHDKIT_HOST_PREALLOCATE      0x40u /* fixed: write zeros where space
                                              cannot be reserved */
#define VHDKIT_HOST_STRICT           0x80u /* names and limits as on Windows:
                                              vhdkit_create_fixed_mb and its
                                              sisters only */
#define VHDKIT_HOST_NO_SYNC          0x100u /* vhdkit_create only: do not wait
                                              for the disk, as other converters
                                              do not: faster, and the image may
                                              be damaged if the system (not the
                                              process) dies soon after */

/* CREATE_VIRTUAL_DISK_PARAMETERS and the other arguments of CreateVirtualDisk.
 * Zero every field that is not used; struct_size must be
 * sizeof (struct vhdkit_create_parameters). */
struct vhdkit_create_parameters {
  size_t struct_size;
  vhdkit_context *context;      /* NULL: the default context */
  uint32_t version;             /* 1 or 2 */
  const struct vhdkit_storage_type *storage_type;
  uint32_t access_mask;         /* for the disk that is returned; version 2:
                                   must be VHDKIT_ACCESS_NONE */
  uint32_t flags;               /* VHDKIT_CREATE_FLAG_... */
  uint32_t provider_flags;      /* 0 */
  const struct vhdkit_security *security; /* NULL: 0666 & ~umask, or what the
                                             folder's default ACL says */
  uint8_t unique_id[16];        /* all zero: a random one is made */
  uint64_t maximum_size;        /* bytes; 0 with a parent; 0 with a source: as
                                   large as the source */
  uint32_t block_size;          /* 0: the parent's, or 2 MiB; 512 KiB; 2 MiB */
  uint32_t sector_size;         /* 512, or 0 for the same */
  uint32_t physical_sector_size;        /* the same */
  const char *parent_path;      /* a differencing disk over it; "raw:PATH" is
                                   a raw file */
  const char *source_path;      /* its data is copied: a VHD (with all its
                                   parents), "raw:PATH", a block device, an
                                   NBD URI */

  /* Looked at with version 2 only. */
  uint32_t open_flags;          /* for the disk that is returned:
                                   VHDKIT_OPEN_NO_PARENTS, _CACHED_IO,
                                   _PARENT_CACHED_IO, and the high ones */
  struct vhdkit_storage_type parent_storage_type, source_storage_type;
  uint8_t resiliency_guid[16];  /* ignored */

  /* No Windows counterpart. */
  uint32_t host_flags;          /* VHDKIT_HOST_... */
  const struct vhdkit_open_options *source_options; /* to open a VHD source
                                   with: parents, search, ...; may be NULL;
                                   else its struct_size must be right, too */
};

/* Make a new disk by the rules of CreateVirtualDisk, and open it.
 *
 *     fixed         VHDKIT_CREATE_FLAG_FULL_PHYSICAL_ALLOCATION
 *     dynamic       no flag, no parent
 *     differencing  parent_path
 *
 * Whatever has the name path already is never touched.  On failure, or when
 * the process is killed, nothing is left that looks like an image.
 *
 * ret_task NULL: returns when the image is complete, durable and open.
 * ret_task not NULL: *ret_task is the task that makes it, to be given back
 * with vhdkit_task_free.  Arguments, names and limits have been checked then,
 * and the parent is open, and the source unless it is an NBD URI; what goes
 * wrong later is the error of the task.  The strings and structs of params are
 * no longer needed, but *ret_disk is written by the task just before it is
 * complete, and only if it succeeds.  A disk returned is closed with
 * vhdkit_close.
 *
 * With a task the call does not wait for servers.  Whether there is one, and
 * the size of what it has (and so whether maximum_size is too small for it), is
 * found by the task, which can be cancelled meanwhile; a file that the URI
 * names with a relative path is looked for then.
 *
 * A version 1 disk may be used for what access_mask says.  A version 2 disk is
 * open for reading, writing, information and changes of metadata, as
 * open_flags have it.
 *
 * Refused, in this order, with INVALID_PARAMETER (Win32 87) unless another
 * code stands in brackets:
 *   storage_type NULL; params NULL; version not 1 or 2; version 2 with a mask;
 *   block_size; maximum_size below 3 MiB with neither parent nor source
 *   [SIZE_TOO_SMALL]; not a multiple of sector_size; unknown bits in the mask;
 *   flags above 0x1; parent and source; parent and a size; parent and full
 *   allocation; sector_size; version 2, fixed, and a block size; path or
 *   ret_disk NULL; maximum_size above 2040 GiB [SIZE_TOO_LARGE];
 *   provider_flags; physical_sector_size; then
 *   a source larger than maximum_size (an NBD URI: by the task).
 * Other errors: PROVIDER_NOT_FOUND (not a VHD), BAD_PATHNAME (an empty path),
 * PATH_NOT_FOUND, EXISTS, HOST_LIMITATION (a compressed or encrypted place),
 * SHUTTING_DOWN, DISK_FULL, FILE_TOO_LARGE_FOR_FS, ACCESS_DENIED, INVALID_NAME,
 * NAME_TOO_LONG, CANCELLED, NO_MEMORY, IO; of the parent as
 * vhdkit_create_image; of the source as vhdkit_open, and SOURCE_OWNED,
 * SOURCE_ONLINE, SECTOR_SIZE, NOT_SUPPORTED. */
extern int vhdkit_create (const char *path,
                          const struct vhdkit_create_parameters *params,
                          vhdkit_task **ret_task, vhdkit_disk **ret_disk);

/* How large a new disk must be at least to be a copy of this source, and how
 * large it is without a maximum_size; a multiple of 512.  source_path and opts
 * as in vhdkit_create_parameters; host_flags: 0 or VHDKIT_HOST_FORCE_SOURCE
 * (others have no effect).  Opens the source, and closes it again; may block.
 * Errors: NULL_POINTER, INVALID_PARAMETER (opts->struct_size), and of the
 * source as vhdkit_create. */
extern int vhdkit_source_size (const char *source_path, uint32_t host_flags,
                               const struct vhdkit_open_options *opts,
                               uint64_t *ret_size);

/*----------------------------------------------------------------------
 * Create by the rules of Virtual Server 2005
 *--------------------------------------------------------------------*/

/* CreateFixedVirtualHardDisk, CreateDynamicVirtualHardDisk and
 * CreateDifferencingVirtualHardDisk.  Success means that a task was started,
 * which makes the image; no task is made where the call fails.  context NULL:
 * the default context.  size_mb: 3 to 2088960 megabytes (1048576 bytes).
 *
 * The folder of the image is made if it is missing, and removed again if the
 * image cannot be made.  flags: VHDKIT_HOST_ALLOW_COMPRESSED,
 * _ALLOW_ENCRYPTED, _CREATE_FOLDERS, _SPARSE and _PREALLOCATE (both for fixed
 * disks), and
 *
 * VHDKIT_HOST_STRICT: everything as Windows has it.  Without it names may be
 * what the system allows, and a relative one is meant from the working
 * directory on.  With it a path must be absolute, have less than 260 UTF-16
 * code units, be valid UTF-8 and hold none of * ? : < > | " \ , and the file
 * system must have 8 MiB free (fixed, unless _SPARSE: the size of the image).
 *
 * Of the two paths of a differencing disk one may be relative: to the folder
 * of the other.  If both are, they are meant from the working directory on
 * (STRICT: BAD_PATHNAME).
 *
 * Checked in this order, at the call: NULL_POINTER (a path, or ret_task);
 * INVALID_PARAMETER (size below 1, unknown flags); BAD_PATHNAME (empty, or
 * relative); INVALID_NAME; NAME_TOO_LONG; SIZE_TOO_SMALL, SIZE_TOO_LARGE;
 * PATH_NOT_FOUND (no folder to make the folder in); EXISTS; PATH_NOT_FOUND (no
 * such parent) and what else a parent can be (as vhdkit_create_image);
 * HOST_LIMITATION; DISK_FULL (STRICT); FILE_TOO_LARGE_FOR_FS (when fully
 * grown); SHUTTING_DOWN.
 * What goes wrong later is the error of the task; UNEXPECTED is all that these
 * rules do not foresee.  vhdkit_error_hresult gives the HRESULTs. */
extern int vhdkit_create_fixed_mb (vhdkit_context *context,
                                   const char *image_path, int64_t size_mb,
                                   uint32_t flags, vhdkit_task **ret_task);
extern int vhdkit_create_dynamic_mb (vhdkit_context *context,
                                     const char *image_path, int64_t size_mb,
                                     uint32_t flags, vhdkit_task **ret_task);
extern int vhdkit_create_diff (vhdkit_context *context,
                               const char *image_path,
                               const char *parent_path, uint32_t flags,
                               vhdkit_task **ret_task);

/*----------------------------------------------------------------------
 * Information and changes by Windows' classes
 *--------------------------------------------------------------------*/

/* GET_VIRTUAL_DISK_INFO_VERSION: what is asked, and what is written to the
 * buffer. */
enum vhdkit_info_class {
  VHDKIT_INFO_SIZE = 1,                 /* struct vhdkit_info_size */
  VHDKIT_INFO_IDENTIFIER = 2,           /* uint8_t[16], as on disk */
  VHDKIT_INFO_PARENT_LOCATION = 3,      /* struct vhdkit_info_parent_location */
  VHDKIT_INFO_PARENT_IDENTIFIER = 4,    /* uint8_t[16], as recorded */
  VHDKIT_INFO_PARENT_TIMESTAMP = 5,     /* uint32_t, seconds since 2000 */
  VHDKIT_INFO_VIRTUAL_STORAGE_TYPE = 6, /* struct vhdkit_storage_type */
  VHDKIT_INFO_PROVIDER_SUBTYPE = 7,     /* uint32_t: 2 fixed, 3 dynamic, 4
                                           differencing */
  VHDKIT_INFO_IS_4K_ALIGNED = 8,        /* uint32_t, 0 or 1 */
  VHDKIT_INFO_PHYSICAL_DISK = 9,        /* not supported */
  VHDKIT_INFO_PHYSICAL_SECTOR_SIZE = 10,        /* uint32_t: 512 */
  VHDKIT_INFO_SMALLEST_SAFE_VIRTUAL_SIZE = 11,  /* not supported */
  VHDKIT_INFO_FRAGMENTATION = 12,       /* not supported */
  VHDKIT_INFO_IS_LOADED = 13,           /* uint32_t, 0 or 1: another process
                                           has the image open (served) */
  VHDKIT_INFO_VIRTUAL_DISK_ID = 14,     /* the same as IDENTIFIER */
  VHDKIT_INFO_CHANGE_TRACKING_STATE = 15,       /* not supported */
  /* IVMHardDisk of Virtual Server. */
  VHDKIT_INFO_VS_TYPE = 0x10000,        /* uint32_t: 0 dynamic, 1 fixed, 2
                                           differencing */
  VHDKIT_INFO_VS_PARENT = 0x10001       /* as PARENT_LOCATION; where there is
                                           no parent the call returns 1, the
                                           S_FALSE of get_Parent */
};

struct vhdkit_info_size {
  uint64_t virtual_size;
  uint64_t physical_size;       /* bytes that the file takes on the host */
  uint32_t block_size;          /* fixed: 2 MiB, the default */
  uint32_t sector_size;         /* 512 */
};

/* The strings are in the rest of the buffer. */
struct vhdkit_info_parent_location {
  uint32_t resolved;            /* 1: path[0] is the parent that is used;
                                   0: path are all the places it was looked for
                                   in */
  uint32_t nr_paths;
  const char *const *path;
};

/* Ask about the disk itself (layer 0).  buf: aligned as malloc aligns; *len:
 * its size before, what was used after.  If it is too small the error is
 * INSUFFICIENT_BUFFER (Win32 122) and *len is what would do; buf may be NULL
 * then.  Needs VHDKIT_ACCESS_GET_INFO, or a disk opened with
 * VHDKIT_ACCESS_NONE.  Returns 0; 1 see VS_PARENT (*len is 0).
 * Errors: WRONG_TYPE (of a parent, and there is none), NOT_SUPPORTED,
 * INVALID_PARAMETER (no such class), ACCESS_DENIED, NULL_POINTER, IO,
 * NO_MEMORY. */
extern int vhdkit_get_info (vhdkit_disk *disk,
                            enum vhdkit_info_class info_class,
                            void *buf, size_t *len);

/* SET_VIRTUAL_DISK_INFO_VERSION. */
enum vhdkit_set_info_class {
  VHDKIT_SET_INFO_PARENT_PATH = 1,      /* a path, with or without its NUL */
  VHDKIT_SET_INFO_IDENTIFIER = 2,       /* uint8_t[16], not all zero */
  VHDKIT_SET_INFO_PARENT_PATH_WITH_DEPTH = 3,   /* not supported, as those */
  VHDKIT_SET_INFO_PHYSICAL_SECTOR_SIZE = 4,     /* that follow */
  VHDKIT_SET_INFO_VIRTUAL_DISK_ID = 5,
  VHDKIT_SET_INFO_CHANGE_TRACKING_STATE = 6,
  VHDKIT_SET_INFO_PARENT_LOCATOR = 7
};

#define VHDKIT_SET_INFO_FORCE 0x1u      /* PARENT_PATH: although the id or the
                                           size of the parent is another */

/* Change the disk itself (layer 0), durably.  The disk must be writable
 * (opened with VHDKIT_ACCESS_METAOPS or created with version 2); no other call
 * on it may run meanwhile.
 *
 * PARENT_PATH records another file as the parent of a differencing disk: its
 * id, its time stamp, its name, and its path relative to the image and
 * absolute.  It must be the same disk as before, by its id and size; FORCE
 * takes any, and what the disk then reads may be garbage.  The open disk goes
 * on with the parents it has; the new one counts from the next opening on.
 * VHDKIT_OPEN_NO_PARENTS opens an image whose parent is lost.
 *
 * IDENTIFIER gives the disk another id; its children no longer match then.
 *
 * Errors: READ_ONLY, ACCESS_DENIED (without METAOPS), WRONG_TYPE (not
 * differencing), PARENT_ID_MISMATCH, PARENT_SIZE_MISMATCH, CHAIN_CYCLE (the
 * new parent needs this disk), NAME_TOO_LONG (the image keeps no room for such
 * a path), NOT_SUPPORTED, INVALID_PARAMETER, NULL_POINTER, what a parent can
 * be (as vhdkit_create_image), IO. */
extern int vhdkit_set_info (vhdkit_disk *disk,
                            enum vhdkit_set_info_class info_class,
                            const void *buf, size_t len, uint32_t flags);

#if defined __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif /* VHDKIT_H */
