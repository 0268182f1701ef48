/* vhdkit: libnbd, loaded when it is first needed.  See libnbd-calls.h.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#ifdef HAVE_LIBNBD

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#define LIBNBD_CALLS_LOADER     /* the names as they are */
#include "store/libnbd-calls.h"

struct libnbd_calls libnbd;

/* Guards the loading; a library may take its time to load. */
static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;
static bool loaded;

static int
find (void *library, const char *name, void *ret_call)
{
  void *p = dlsym (library, name);

  if (p == NULL) {
    set_error (VHDKIT_ERR_NOT_SUPPORTED, ENOTSUP,
               "libnbd.so.0 lacks %s (%s): install a newer libnbd", name,
               dlerror ());
    return -1;
  }
  * (void **) ret_call = p;
  return 0;
}

int
libnbd_load (void)
{
  LOCK_FOR_SCOPE (&load_lock);
  void *library;

  if (loaded)
    return 0;
  library = dlopen ("libnbd.so.0", RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    set_error (VHDKIT_ERR_NOT_SUPPORTED, ENOTSUP,
               "reading from NBD servers needs libnbd: %s", dlerror ());
    return -1;
  }
#define CALL(name)                                      \
  if (find (library, #name, &libnbd.name) == -1)        \
    return -1;
  LIBNBD_CALLS (CALL)
#undef CALL
  loaded = true;
  return 0;
}

#endif /* HAVE_LIBNBD */
