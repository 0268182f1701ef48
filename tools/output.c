/* vhdkit: words for people, JSON for programs.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Names of files and texts inside images are under nobody's control.  What
 * goes to a terminal loses its control characters; what goes into JSON stays
 * as it is where JSON can say it.  Bytes that are not UTF-8 become \xNN in
 * both.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools.h"

void *
checked_alloc (void *p)
{
  if (p == NULL) {
    fprintf (stderr, "vhdkit: out of memory\n");
    exit (STATUS_FAILED);
  }
  return p;
}

/* Length of the UTF-8 sequence at s and its code point; 0 if it is none. */
static size_t
utf8_sequence (const unsigned char *s, uint32_t *ret_char)
{
  static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
  size_t n, i;
  uint32_t c;

  n = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2
    : s[0] < 0xf0 ? 3 : s[0] < 0xf8 ? 4 : 0;
  if (n == 0)
    return 0;
  c = n == 1 ? s[0] : s[0] & (0x7fu >> n);
  for (i = 1; i < n; i++) {
    if ((s[i] & 0xc0) != 0x80)  /* the terminating NUL, too */
      return 0;
    c = c << 6 | (s[i] & 0x3fu);
  }
  if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
    return 0;
  *ret_char = c;
  return n;
}

/* Malloced.  controls: escape those as well. */
static char *
escape (const char *text, bool controls)
{
  const unsigned char *s = (const unsigned char *) text;
  char *ret = checked_alloc (malloc (4 * strlen (text) + 1));
  char *d = ret;
  uint32_t c;
  size_t n;

  while (*s) {
    n = utf8_sequence (s, &c);
    if (n > 0 && controls && (c < 0x20 || (c >= 0x7f && c < 0xa0))) {
      for (; n > 0; n--)
        d += sprintf (d, "\\x%02x", *s++);
    }
    else if (n > 0) {
      memcpy (d, s, n);
      d += n;
      s += n;
    }
    else
      d += sprintf (d, "\\x%02x", *s++);
  }
  *d = '\0';
  return ret;
}

char *
printable (const char *text)
{
  return escape (text, true);
}

/*----------------------------------------------------------------------
 * Messages
 *--------------------------------------------------------------------*/

/* Why stdout could not be written, for finish_output. */
static int output_errno;

void
output_failed (int err)
{
  if (output_errno == 0)
    output_errno = err;
}

static void
message (const char *file, const char *reason)
{
  char *clean_file = printable (file ? file : "");
  char *clean = printable (reason);
  size_t n = strlen (clean_file);

  if (fflush (stdout) != 0)     /* in the order in which it happened */
    output_failed (errno);
  fputs ("vhdkit: ", stderr);
  if (command)
    fprintf (stderr, "%s: ", command->name);
  /* Many reasons begin with the file: say it once. */
  if (file && !(strncmp (clean, clean_file, n) == 0 && clean[n] == ':'))
    fprintf (stderr, "%s: ", clean_file);
  fprintf (stderr, "%s\n", clean);
  free (clean_file);
  free (clean);
}

static char *
format_text (const char *fmt, va_list args)
  __attribute__ ((format (printf, 1, 0)));

static char *
format_text (const char *fmt, va_list args)
{
  char *text;

  if (vasprintf (&text, fmt, args) == -1)
    text = NULL;
  return checked_alloc (text);
}

void
complain (const char *file, const char *fmt, ...)
{
  va_list args;
  char *text;

  va_start (args, fmt);
  text = format_text (fmt, args);
  va_end (args);
  message (file, text);
  free (text);
}

static bool hresults;

void
show_hresults (void)
{
  hresults = true;
}

uint32_t
error_number (enum vhdkit_error code)
{
  const uint32_t win32 = vhdkit_error_win32 (code);
  const uint32_t hresult = vhdkit_error_hresult (code);

  if (!hresults)
    return win32;
  if (hresult)
    return hresult;
  /* What Virtual Server has no number for: HRESULT_FROM_WIN32. */
  return (int32_t) win32 <= 0 ? win32 : 0x80070000 | (win32 & 0xffff);
}

/* The code's name and number are what a script or a search engine wants. */
void
complain_error (const char *file, enum vhdkit_error code, const char *text)
{
  complain (file, "%s (%s, 0x%08" PRIx32 ")", text, vhdkit_error_name (code),
            error_number (code));
}

void
complain_library (const char *file)
{
  complain_error (file, vhdkit_get_error_code (), vhdkit_get_error ());
}

int
usage_error (const char *fmt, ...)
{
  va_list args;
  char *text;

  va_start (args, fmt);
  text = format_text (fmt, args);
  va_end (args);
  message (NULL, text);
  free (text);
  fprintf (stderr, "Try 'vhdkit %s%s--help' for more information.\n",
           command ? command->name : "", command ? " " : "");
  return command ? command->usage_status : STATUS_USAGE;
}

int
warn_finding (void *opaque, const struct vhdkit_finding *f)
{
  (void) opaque;
  if (f->severity != VHDKIT_SEVERITY_NOTE)
    complain (f->file, "warning: %s at offset %" PRIu64
              ": found %s, expected %s. %s", f->structure, f->offset,
              f->found, f->expected, f->meaning);
  return 0;
}

int
finish_output (int status)
{
  bool failed = ferror (stdout) != 0;

  if (fclose (stdout) != 0) {
    failed = true;
    output_failed (errno);
  }
  if (!failed)
    return status;
  fprintf (stderr, "vhdkit: writing to standard output: %s\n",
           output_errno ? strerror (output_errno) : "failed");
  return STATUS_FAILED;
}

/*----------------------------------------------------------------------
 * Sizes and dates
 *--------------------------------------------------------------------*/

struct size_text
human_size (uint64_t bytes)
{
  static const char *const unit[] = { "KiB", "MiB", "GiB", "TiB", "PiB",
                                      "EiB" };
  struct size_text t;
  double n = (double) bytes / 1024;
  int u = 0, digits;

  if (bytes < 1024) {
    snprintf (t.s, sizeof t.s, "%" PRIu64 " byte%s", bytes,
              bytes == 1 ? "" : "s");
    return t;
  }
  for (; n >= 999.5; u++)       /* what would be printed as 1000 */
    n /= 1024;
  digits = n < 9.995 ? 2 : n < 99.95 ? 1 : 0;
  snprintf (t.s, sizeof t.s, "%.*f", digits, n);
  if (strchr (t.s, '.')) {      /* 2.50 -> 2.5, 2.00 -> 2 */
    size_t len = strlen (t.s);
    while (t.s[len - 1] == '0')
      t.s[--len] = '\0';
    if (t.s[len - 1] == '.')
      t.s[--len] = '\0';
  }
  snprintf (t.s + strlen (t.s), sizeof t.s - strlen (t.s), " %s", unit[u]);
  return t;
}

struct size_text
exact_size (uint64_t bytes)
{
  struct size_text t = human_size (bytes);

  if (bytes >= 1024)
    snprintf (t.s + strlen (t.s), sizeof t.s - strlen (t.s),
              " (%" PRIu64 " bytes)", bytes);
  return t;
}

struct size_text
vhd_date (uint32_t timestamp)
{
  const time_t vhd_epoch = 946684800;   /* 2000-01-01 00:00:00 UTC */
  time_t t = vhd_epoch + (time_t) timestamp;
  struct size_text ret;
  struct tm tm;

  if (gmtime_r (&t, &tm) == NULL
      || strftime (ret.s, sizeof ret.s, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
    snprintf (ret.s, sizeof ret.s, "%" PRIu32, timestamp);
  return ret;
}

/*----------------------------------------------------------------------
 * JSON
 *--------------------------------------------------------------------*/

json_t *
json_text (const char *text)
{
  char *clean;
  json_t *ret;

  if (text == NULL)
    return json_null ();
  clean = escape (text, false);
  ret = checked_alloc (json_string (clean));
  free (clean);
  return ret;
}

static void
json_done (int r)
{
  if (r == -1)
    checked_alloc (NULL);
}

void
json_add (json_t *object, const char *key, json_t *value)
{
  json_done (json_object_set_new (object, key, value));
}

void
json_add_text (json_t *object, const char *key, const char *text)
{
  json_add (object, key, json_text (text));
}

void
json_add_uint (json_t *object, const char *key, uint64_t n)
{
  /* Only nonsense in an image is as large as that. */
  json_add (object, key, n <= INT64_MAX ? json_integer ((json_int_t) n)
            : json_real ((double) n));
}

void
json_add_bool (json_t *object, const char *key, bool b)
{
  json_add (object, key, json_boolean (b));
}

void
json_append (json_t *array, json_t *value)
{
  json_done (json_array_append_new (array, value));
}

void
json_print (json_t *value)
{
  /* What stdout refuses is found by finish_output. */
  json_dumpf (value, stdout, JSON_INDENT (4) | JSON_ENCODE_ANY);
  putchar ('\n');
  json_decref (value);
}
