/* vhdkit: the nbdkit plugin: the disks that are open.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * All connections to one export share one disk, so that a flush on any of
 * them covers the writes of all (multi-conn).  In file= mode the image is
 * opened before the server starts and stays open to its end; in dir= mode it
 * is opened by the first connection and closed (which commits) with the last,
 * if that can be committed.
 *
 * Every disk is opened read-only.  The first connection that may write makes
 * it writable in place: by then the server has forked, and the library may
 * start the thread that commits in the background.  A disk never becomes
 * read-only again, but a connection that began read-only stays so.
 */
#include <config.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

struct export {
  struct export *next;          /* table_lock */
  unsigned refs;                /* table_lock; who has a pointer to this */
  char *name;                   /* export name; "" in file= mode */
  char *path;

  /* Guards what follows.  Held over opening, upgrading and closing the disk,
   * so over disk I/O; a slow image delays only its own clients.  table_lock
   * may be taken under it, never the other way. */
  pthread_mutex_t lock;
  unsigned users;               /* connections; and the server in file= mode */
  vhdkit_disk *disk;            /* open while users > 0, or kept */
  bool kept;                    /* a reference: what was written could not be
                                   committed */
};

/* Guards the list and refs.  No I/O under it. */
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct export *table;

/*----------------------------------------------------------------------
 * The table
 *--------------------------------------------------------------------*/

static void
export_free (struct export *e)
{
  if (e == NULL)
    return;
  pthread_mutex_destroy (&e->lock);
  free (e->name);
  free (e->path);
  free (e);
}

static struct export *
export_new (const char *name)
{
  struct export *e;
  int r;

  e = calloc (1, sizeof *e);
  if (e == NULL) {
    nbdkit_error ("calloc: %m");
    return NULL;
  }
  pthread_mutex_init (&e->lock, NULL);
  e->name = strdup (name);
  if (config.file != NULL)
    r = asprintf (&e->path, "%s", config.file);
  else
    r = asprintf (&e->path, "%s/%s", config.dir, name);
  if (r == -1)
    e->path = NULL;
  if (e->name == NULL || e->path == NULL) {
    nbdkit_error ("out of memory");
    export_free (e);
    return NULL;
  }
  return e;
}

/* The entry of this name, made if there is none; export_unref it. */
static struct export *
export_ref (const char *name)
{
  struct export *e;

  pthread_mutex_lock (&table_lock);
  for (e = table; e != NULL; e = e->next)
    if (strcmp (e->name, name) == 0)
      break;
  if (e == NULL) {
    e = export_new (name);
    if (e != NULL) {
      e->next = table;
      table = e;
    }
  }
  if (e != NULL)
    e->refs++;
  pthread_mutex_unlock (&table_lock);
  return e;
}

static void
export_ref_again (struct export *e)
{
  pthread_mutex_lock (&table_lock);
  e->refs++;
  pthread_mutex_unlock (&table_lock);
}

static void
export_unref (struct export *e)
{
  struct export **p;
  bool last;

  pthread_mutex_lock (&table_lock);
  last = --e->refs == 0;
  if (last) {
    for (p = &table; *p != e; p = &(*p)->next)
      ;
    *p = e->next;
  }
  pthread_mutex_unlock (&table_lock);
  if (last)
    export_free (e);
}

/*----------------------------------------------------------------------
 * The disk of an entry; e->lock is held
 *--------------------------------------------------------------------*/

/* Oddities that do not keep an image from being served: the operator hears of
 * those that someone should do something about. */
static int
on_finding (void *opaque, const struct vhdkit_finding *f)
{
  const char *structure = f->structure ? f->structure : "image";
  const char *found = f->found ? f->found : "?";
  const char *expected = f->expected ? f->expected : "?";
  const char *meaning = f->meaning ? f->meaning : "";

  (void) opaque;
  if (f->severity >= VHDKIT_SEVERITY_WARNING)
    nbdkit_error ("warning: %s: %s at offset %" PRIu64 ": found %s, "
                  "expected %s: %s", f->file ? f->file : "?", structure,
                  f->offset, found, expected, meaning);
  else
    nbdkit_debug ("note: %s: %s at offset %" PRIu64 ": found %s, "
                  "expected %s: %s", f->file ? f->file : "?", structure,
                  f->offset, found, expected, meaning);
  return 0;
}

static int
disk_open (struct export *e)
{
  struct vhdkit_open_options options;

  config_open_options (&options);
  options.on_finding = on_finding;
  if (vhdkit_open (e->path, VHDKIT_ACCESS_ATTACH_RO, config_open_flags (),
                   &options, &e->disk) == -1) {
    e->disk = NULL;
    nbdkit_error ("%s", vhdkit_get_error ());
    return -1;
  }
  nbdkit_debug ("opened %s: %zu layer(s), %" PRIu64 " bytes", e->path,
                vhdkit_layers (e->disk), vhdkit_size (e->disk));
  return 0;
}

/* Make the disk writable.  Not being allowed to is no error: the connection is
 * read-only then.  A lock that another holds, or damage that only matters to
 * writers, is: a client that wants to write should hear of it. */
static int
disk_upgrade (struct export *e, bool *ret_writable)
{
  enum vhdkit_error code;

  *ret_writable = true;
  if (vhdkit_is_writable (e->disk))
    return 0;
  if (vhdkit_upgrade (e->disk) == 0) {
    nbdkit_debug ("%s: now writable", e->path);
    return 0;
  }

  code = vhdkit_get_error_code ();
  if (code == VHDKIT_ERR_ACCESS_DENIED || code == VHDKIT_ERR_READ_ONLY) {
    nbdkit_debug ("serving read-only: %s", vhdkit_get_error ());
    *ret_writable = false;
    return 0;
  }
  nbdkit_error ("%s (mode=ro would serve it read-only)", vhdkit_get_error ());
  return -1;
}

static void
disk_close (struct export *e)
{
  if (vhdkit_close (e->disk) == -1)
    nbdkit_error ("%s", vhdkit_get_error ());
  else
    nbdkit_debug ("closed %s", e->path);
  e->disk = NULL;
}

/* Nobody uses the disk any more.  If it cannot be committed it stays open, with
 * what was written and the reason: opened anew it would know of neither, and
 * the next client's flush would succeed.  The caller has a reference. */
static void
disk_close_unused (struct export *e)
{
  if (vhdkit_flush (e->disk) == -1) {
    nbdkit_error ("%s; the image stays open", vhdkit_get_error ());
    if (!e->kept)
      export_ref_again (e);
    e->kept = true;
    return;
  }
  disk_close (e);
  if (e->kept)
    export_unref (e);
  e->kept = false;
}

/*----------------------------------------------------------------------
 * Using an export
 *--------------------------------------------------------------------*/

/* End one use: closes the disk with the last one.  A connection that arrives
 * meanwhile waits for the lock and opens the disk anew, so an image is never
 * open twice. */
static void
export_release (struct export *e)
{
  pthread_mutex_lock (&e->lock);
  if (--e->users == 0)
    disk_close_unused (e);
  pthread_mutex_unlock (&e->lock);
  export_unref (e);
}

/* Begin to use the export of this name, for writing if that is wanted and
 * possible (*ret_writable). */
static struct export *
export_use (const char *name, bool want_write, bool *ret_writable)
{
  struct export *e = export_ref (name);
  int r = 0;

  if (e == NULL)
    return NULL;
  *ret_writable = false;
  pthread_mutex_lock (&e->lock);
  if (e->disk == NULL)
    r = disk_open (e);
  if (r == 0)
    e->users++;
  if (r == 0 && want_write)
    r = disk_upgrade (e, ret_writable);
  if (r == -1 && e->disk != NULL && --e->users == 0)
    disk_close_unused (e);
  pthread_mutex_unlock (&e->lock);

  if (r == -1) {
    export_unref (e);
    return NULL;
  }
  return e;
}

/* This use is the server's own, and ends with it. */
int
export_get_ready (void)
{
  bool writable;

  if (config.file == NULL)
    return 0;
  return export_use ("", false, &writable) == NULL ? -1 : 0;
}

/* nbdkit does not close the connections that are there when it is told to quit:
 * it waits until their requests are done, and then cleans up.  So nobody else
 * is here now, and what is open has to be closed whoever used it. */
void
export_cleanup (void)
{
  struct export *e;

  while ((e = table) != NULL) {
    table = e->next;
    if (e->disk != NULL)
      disk_close (e);
    export_free (e);
  }
}

/*----------------------------------------------------------------------
 * Connections
 *--------------------------------------------------------------------*/

/* May a client use this name in dir= mode?  Only a plain path downwards: the
 * library sees to symbolic links. */
static bool
name_is_beneath (const char *name)
{
  size_t len;

  for (;; name += len + 1) {
    len = strcspn (name, "/");
    if (len == 0 ||
        (len == 1 && name[0] == '.') ||
        (len == 2 && name[0] == '.' && name[1] == '.'))
      return false;
    if (name[len] == '\0')
      return true;
  }
}

/* The export that the client asks for, or NULL. */
static const char *
requested_name (void)
{
  const char *name;

  if (config.file != NULL)
    return "";                  /* any name gets the image */
  name = nbdkit_export_name ();
  if (name == NULL)
    return NULL;
  /* It goes into messages, so it must not write lines of its own there. */
  if (!list_name_is_text (name)) {
    nbdkit_error ("an export name is refused: it is not plain UTF-8 text");
    return NULL;
  }
  if (!name_is_beneath (name)) {
    nbdkit_error ("export name \"%s\" is refused: it must be the name of an "
                  "image beneath %s", name, config.dir);
    return NULL;
  }
  return name;
}

void *
export_open (int readonly)
{
  const char *name = requested_name ();
  struct handle *h;

  if (name == NULL)
    return NULL;
  h = calloc (1, sizeof *h);
  if (h == NULL) {
    nbdkit_error ("calloc: %m");
    return NULL;
  }
  h->export = export_use (name, !readonly && !config.read_only, &h->writable);
  if (h->export == NULL) {
    free (h);
    return NULL;
  }
  h->disk = h->export->disk;
  return h;
}

void
export_close (void *handle)
{
  struct handle *h = handle;

  export_release (h->export);
  free (h);
}

const char *
export_describe (void *handle)
{
  struct handle *h = handle;
  const char *r = NULL;
  char *text;

  /* The answer of vhdkit_layer is good until the next one asks. */
  pthread_mutex_lock (&h->export->lock);
  text = describe_disk (h->disk);
  pthread_mutex_unlock (&h->export->lock);
  if (text != NULL)
    r = nbdkit_strdup_intern (text);
  free (text);
  return r;
}
