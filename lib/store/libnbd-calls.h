/* vhdkit: libnbd, loaded when it is first needed.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * libnbd brings TLS and XML libraries along, twenty of them, which cost every
 * program that is linked with it a few milliseconds at start: as much as all
 * else that happens before a served image can be read.  Only few read from NBD
 * servers, so they wait for the loader, not all.
 *
 * For store-nbd.c, nbd-open.c and nbd-connection.c only.  The calls keep their
 * names and are checked against libnbd.h as usual; libnbd_load () must have
 * succeeded before the first.
 */
#ifndef VHDKIT_LIBNBD_CALLS_H
#define VHDKIT_LIBNBD_CALLS_H

#include <libnbd.h>

#define LIBNBD_CALLS(CALL)                      \
  CALL (nbd_add_meta_context)                   \
  CALL (nbd_aio_block_status)                   \
  CALL (nbd_aio_connect_uri)                    \
  CALL (nbd_aio_disconnect)                     \
  CALL (nbd_aio_get_direction)                  \
  CALL (nbd_aio_get_fd)                         \
  CALL (nbd_aio_is_closed)                      \
  CALL (nbd_aio_is_connecting)                  \
  CALL (nbd_aio_is_dead)                        \
  CALL (nbd_aio_is_ready)                       \
  CALL (nbd_aio_notify_read)                    \
  CALL (nbd_aio_notify_write)                   \
  CALL (nbd_aio_pread_structured)               \
  CALL (nbd_can_meta_context)                   \
  CALL (nbd_can_multi_conn)                     \
  CALL (nbd_close)                              \
  CALL (nbd_create)                             \
  CALL (nbd_get_block_size)                     \
  CALL (nbd_get_errno)                          \
  CALL (nbd_get_error)                          \
  CALL (nbd_get_size)                           \
  CALL (nbd_poll)                               \
  CALL (nbd_set_uri_allow_local_file)

struct libnbd_calls {
#define CALL(name) __typeof__ (&name) name;
  LIBNBD_CALLS (CALL)
#undef CALL
};

extern struct libnbd_calls libnbd;

/* Any thread; the library stays loaded.  -1 with NOT_SUPPORTED. */
extern int libnbd_load (void);

#ifndef LIBNBD_CALLS_LOADER
#define nbd_add_meta_context libnbd.nbd_add_meta_context
#define nbd_aio_block_status libnbd.nbd_aio_block_status
#define nbd_aio_connect_uri libnbd.nbd_aio_connect_uri
#define nbd_aio_disconnect libnbd.nbd_aio_disconnect
#define nbd_aio_get_direction libnbd.nbd_aio_get_direction
#define nbd_aio_get_fd libnbd.nbd_aio_get_fd
#define nbd_aio_is_closed libnbd.nbd_aio_is_closed
#define nbd_aio_is_connecting libnbd.nbd_aio_is_connecting
#define nbd_aio_is_dead libnbd.nbd_aio_is_dead
#define nbd_aio_is_ready libnbd.nbd_aio_is_ready
#define nbd_aio_notify_read libnbd.nbd_aio_notify_read
#define nbd_aio_notify_write libnbd.nbd_aio_notify_write
#define nbd_aio_pread_structured libnbd.nbd_aio_pread_structured
#define nbd_can_meta_context libnbd.nbd_can_meta_context
#define nbd_can_multi_conn libnbd.nbd_can_multi_conn
#define nbd_close libnbd.nbd_close
#define nbd_create libnbd.nbd_create
#define nbd_get_block_size libnbd.nbd_get_block_size
#define nbd_get_errno libnbd.nbd_get_errno
#define nbd_get_error libnbd.nbd_get_error
#define nbd_get_size libnbd.nbd_get_size
#define nbd_poll libnbd.nbd_poll
#define nbd_set_uri_allow_local_file libnbd.nbd_set_uri_allow_local_file

#endif

#endif
