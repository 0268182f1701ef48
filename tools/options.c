/* vhdkit: what is written on the command line.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tools.h"

void
words_add (struct words *w, const char *word)
{
  w->word = checked_alloc (realloc (w->word, (w->nr + 1) * sizeof *w->word));
  w->word[w->nr++] = word;
}

void
image_options_free (struct image_options *o)
{
  free (o->parents.word);
  free (o->search.word);
}

static int
show_help (void)
{
  printf ("Usage: vhdkit %s %s\n%s\n\n%s" HELP_HELP, command->name,
          command->synopsis, command->summary, command->help);
  return STATUS_OK;
}

static int
output_format (const char *format, struct image_options *o)
{
  if (strcmp (format, "json") == 0)
    o->json = true;
  else if (strcmp (format, "human") == 0)
    o->json = false;
  else
    return usage_error ("--output is human or json, not %s", format);
  return -1;
}

/* getopt has already named what it did not know. */
static int
unknown_option (void)
{
  fprintf (stderr, "Try 'vhdkit %s --help' for more information.\n",
           command->name);
  return command->usage_status;
}

int
shared_option (int c, struct image_options *o)
{
  switch (c) {
  case 'h':
    return show_help ();
  case 'V':
    printf ("%s\n", vhdkit_version ());
    return STATUS_OK;
  case '?':
    return unknown_option ();
  case OPT_JSON:
    o->json = true;
    return -1;
  case OPT_OUTPUT:
    return output_format (optarg, o);
  case 'U':
    o->flags |= VHDKIT_OPEN_NO_LOCK;
    return -1;
  case OPT_NO_RESOLVE:
    o->flags |= VHDKIT_OPEN_NO_PARENTS;
    return -1;
  case OPT_PARENT:
    words_add (&o->parents, optarg);
    return -1;
  case OPT_SEARCH:
    words_add (&o->search, optarg);
    return -1;
  default:
    abort ();                   /* an option in a table and nowhere else */
  }
}

const char *
only_argument (int argc, char *argv[])
{
  if (optind >= argc) {
    usage_error ("which file?");
    return NULL;
  }
  if (optind + 1 < argc) {
    usage_error ("one file, please; extra argument: %s", argv[optind + 1]);
    return NULL;
  }
  return argv[optind];
}

/* The shift that a suffix stands for, or -1. */
static int
suffix_shift (const char *suffix)
{
  static const char letters[] = "KMGT";
  const char *p;

  if (suffix[0] == '\0')
    return 0;
  p = strchr (letters, toupper ((unsigned char) suffix[0]));
  if (suffix[1] != '\0' || p == NULL)
    return -1;
  return 10 * (int) (p - letters + 1);
}

/* Digits, as strtoull would have them but without sign and blanks. */
static int
parse_digits (const char *text, char **ret_end, uint64_t *ret)
{
  bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  unsigned base = hex ? 16 : 10;
  const char *p = hex ? text + 2 : text, *start = p;
  uint64_t n = 0;

  for (; hex ? isxdigit ((unsigned char) *p) : isdigit ((unsigned char) *p);
       p++) {
    unsigned digit = isdigit ((unsigned char) *p)
      ? (unsigned) (*p - '0')
      : (unsigned) (tolower ((unsigned char) *p) - 'a' + 10);
    if (__builtin_mul_overflow (n, base, &n)
        || __builtin_add_overflow (n, digit, &n))
      return -1;
  }
  *ret_end = (char *) p;
  *ret = n;
  return p == start ? -1 : 0;
}

int
parse_size (const char *option, const char *text, uint64_t max,
            uint64_t *ret_bytes)
{
  uint64_t n;
  char *end;
  int shift;

  if (parse_digits (text, &end, &n) == -1
      || (shift = suffix_shift (end)) == -1) {
    usage_error ("%s: not a size: %s (bytes, or a number with K, M, G or T)",
                 option, text);
    return -1;
  }
  if (n > UINT64_MAX >> shift || n << shift > max) {
    usage_error ("%s: too large: %s", option, text);
    return -1;
  }
  *ret_bytes = n << shift;
  return 0;
}

int
parse_number (const char *option, const char *text, uint64_t max,
              uint64_t *ret)
{
  uint64_t n;
  char *end;

  if (strncasecmp (text, "0x", 2) == 0 || parse_digits (text, &end, &n) == -1
      || *end || n > max) {
    usage_error ("%s: not a number from 0 to %" PRIu64 ": %s", option, max,
                 text);
    return -1;
  }
  *ret = n;
  return 0;
}

/* The 32 digits of an id in order of writing; -1 if it is none. */
static int
id_digits (const char *text, uint8_t ret[16])
{
  static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  char digits[33];
  bool braces = text[0] == '{';
  size_t i, n = 0;

  if (braces)
    text++;
  for (i = 0; i < sizeof shape - 1; i++) {
    if (shape[i] == 'x' && isxdigit ((unsigned char) text[i]))
      digits[n++] = text[i];
    else if (shape[i] != '-' || text[i] != '-')
      return -1;
  }
  if (strcmp (text + i, braces ? "}" : "") != 0)
    return -1;
  digits[n] = '\0';
  for (i = 0; i < 16; i++) {
    const char pair[3] = { digits[2 * i], digits[2 * i + 1], '\0' };
    ret[i] = (uint8_t) strtoul (pair, NULL, 16);
  }
  return 0;
}

int
parse_id (const char *option, const char *text, uint8_t ret_id[16])
{
  /* Windows stores the first three fields little-endian. */
  static const uint8_t order[16] =
    { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
  static const uint8_t zero[16];
  uint8_t digits[16];
  size_t i;

  if (id_digits (text, digits) == -1) {
    usage_error ("%s: not an id of the form "
                 "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx: %s", option, text);
    return -1;
  }
  /* The library takes zeros for "make one". */
  if (memcmp (digits, zero, sizeof zero) == 0) {
    usage_error ("%s: an id cannot be all zeros", option);
    return -1;
  }
  for (i = 0; i < 16; i++)
    ret_id[i] = digits[order[i]];
  return 0;
}
