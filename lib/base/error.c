/* vhdkit: the calling thread's last error.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Code, errno and sentence live in thread-local storage; only the sentence is
 * allocated.  A pthread key exists for one purpose: its destructor frees the
 * sentence when the thread ends.  When memory is short the code and the errno
 * are still right, and the sentence is a static one.
 *
 * Nothing here changes errno, so that an error can be set and errno looked at
 * afterwards.
 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

struct last_error {
  enum vhdkit_error code;
  int err;
  char *text;                   /* NULL: none, or memory was short */
  bool freed_at_exit;           /* the key knows of this thread */
};

static __thread struct last_error last;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool have_key;

static void
free_text (void *p)
{
  struct last_error *e = p;

  free (e->text);
  e->text = NULL;
  /* Other destructors of this thread may set an error after us. */
  e->freed_at_exit = false;
}

static void
create_key (void)
{
  have_key = pthread_key_create (&key, free_text) == 0;
}

/* A key must not outlive the code of its destructor when the library is
 * unloaded; and the main thread's destructors do not run at exit. */
static void __attribute__ ((destructor))
forget_key (void)
{
  free_text (&last);
  if (have_key)
    pthread_key_delete (key);
}

/* Take text over.  A sentence that nobody would free at the end of the thread
 * is dropped. */
static void
replace_text (char *text)
{
  if (text && !last.freed_at_exit) {
    pthread_once (&once, create_key);
    last.freed_at_exit =
      have_key && pthread_setspecific (key, &last) == 0;
    if (!last.freed_at_exit) {
      free (text);
      text = NULL;
    }
  }
  free (last.text);
  last.text = text;
}

const char *
vhdkit_get_error (void)
{
  if (last.text)
    return last.text;
  if (last.code == VHDKIT_OK)
    return "no error";
  return "an error occurred, and there was not enough memory to describe it";
}

enum vhdkit_error
vhdkit_get_error_code (void)
{
  return last.code;
}

int
vhdkit_get_errno (void)
{
  return last.err;
}

/* The arguments may point into the present sentence: it goes last. */
static char * __attribute__ ((format (printf, 1, 0)))
format (const char *fmt, va_list args)
{
  char *text;

  if (vasprintf (&text, fmt, args) == -1)
    return NULL;
  return text;
}

void
set_error (enum vhdkit_error code, int err, const char *fmt, ...)
{
  int saved = errno;
  va_list args;
  char *text;

  assert (code > VHDKIT_OK && code < VHDKIT_ERR_LAST_);
  assert (err >= 0);

  va_start (args, fmt);
  text = format (fmt, args);
  va_end (args);

  last.code = code;
  last.err = err;
  replace_text (text);
  errno = saved;
}

void
set_error_errno (int err, const char *fmt, ...)
{
  int saved = errno;
  va_list args;
  char *what, *text;
  char reason[128];

  va_start (args, fmt);
  what = format (fmt, args);
  va_end (args);

  /* The GNU strerror_r: it may or may not use the buffer. */
  if (!what ||
      asprintf (&text, "%s: %s", what,
                strerror_r (err, reason, sizeof reason)) == -1)
    text = NULL;
  free (what);

  last.code = error_code_of_errno (err);
  last.err = err;
  replace_text (text);
  errno = saved;
}

enum vhdkit_error
error_code_of_errno (int err)
{
  switch (err) {
  case ENOENT:       return VHDKIT_ERR_FILE_NOT_FOUND;
  case ENOTDIR:
  case ELOOP:        return VHDKIT_ERR_PATH_NOT_FOUND;
  case EACCES:
  case EPERM:        return VHDKIT_ERR_ACCESS_DENIED;
  case EROFS:        return VHDKIT_ERR_READ_ONLY;
  case EBUSY:
  case EAGAIN:       return VHDKIT_ERR_SHARING_VIOLATION;
  case EEXIST:       return VHDKIT_ERR_EXISTS;
  case ENAMETOOLONG: return VHDKIT_ERR_NAME_TOO_LONG;
  case ENOSPC:
  case EDQUOT:       return VHDKIT_ERR_DISK_FULL;
  case EILSEQ:       return VHDKIT_ERR_INVALID_NAME;
  case EFBIG:        return VHDKIT_ERR_FILE_TOO_LARGE_FOR_FS;
  case ENOMEM:       return VHDKIT_ERR_NO_MEMORY;
  case EINVAL:       return VHDKIT_ERR_INVALID_PARAMETER;
  case EOPNOTSUPP:   return VHDKIT_ERR_NOT_SUPPORTED;   /* = ENOTSUP */
  case ECANCELED:    return VHDKIT_ERR_CANCELLED;
  case ETIMEDOUT:    return VHDKIT_ERR_TIMED_OUT;
  case ESHUTDOWN:    return VHDKIT_ERR_SHUTTING_DOWN;
  default:           return VHDKIT_ERR_IO;
  }
}

void
error_prefix (const char *fmt, ...)
{
  int saved = errno;
  va_list args;
  char *prefix, *text;

  va_start (args, fmt);
  prefix = format (fmt, args);
  va_end (args);

  /* Without memory the sentence stays as it was. */
  if (prefix && asprintf (&text, "%s: %s", prefix, vhdkit_get_error ()) != -1)
    replace_text (text);
  free (prefix);
  errno = saved;
}

void
error_recode (enum vhdkit_error code, int err)
{
  assert (code > VHDKIT_OK && code < VHDKIT_ERR_LAST_);
  assert (err >= 0);
  last.code = code;
  last.err = err;
}

void
error_save (struct saved_error *e)
{
  int saved = errno;

  e->code = last.code;
  e->err = last.err;
  e->text = last.text ? strdup (last.text) : NULL;
  errno = saved;
}

void
error_restore (struct saved_error *e)
{
  last.code = e->code;
  last.err = e->err;
  replace_text (e->text);
  e->text = NULL;
}

void
error_discard (struct saved_error *e)
{
  free (e->text);
  e->text = NULL;
  e->code = VHDKIT_OK;
  e->err = 0;
}
