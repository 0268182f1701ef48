/* vhdkit: permissions of a new file, as they are written on the command line.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <ctype.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "tools.h"

int
parse_mode (const char *text, struct vhdkit_security *s)
{
  unsigned long n;
  char *end;

  n = strtoul (text, &end, 8);
  if (!isdigit ((unsigned char) text[0]) || *end || n > 07777) {
    usage_error ("--mode: not permissions in octal: %s (0644, for example)",
                 text);
    return -1;
  }
  s->mode = (uint32_t) n;
  s->set |= VHDKIT_SECURITY_MODE;
  return 0;
}

/* The last number means "no change" to the system. */
static int
parse_number_of (const char *option, const char *text, uint32_t *ret)
{
  uint64_t n;

  if (parse_number (option, text, UINT32_MAX - 1, &n) == -1)
    return -1;
  *ret = (uint32_t) n;
  return 0;
}

static bool
is_number (const char *text)
{
  return text[0] && text[strspn (text, "0123456789")] == '\0';
}

/* A name first, as chown has it: it may consist of digits. */
int
parse_owner (const char *text, struct vhdkit_security *s)
{
  const struct passwd *pw = getpwnam (text);

  if (pw)
    s->owner = pw->pw_uid;
  else if (!is_number (text)) {
    usage_error ("--owner: there is no user %s", text);
    return -1;
  }
  else if (parse_number_of ("--owner", text, &s->owner) == -1)
    return -1;
  s->set |= VHDKIT_SECURITY_OWNER;
  return 0;
}

int
parse_group (const char *text, struct vhdkit_security *s)
{
  const struct group *gr = getgrnam (text);

  if (gr)
    s->group = gr->gr_gid;
  else if (!is_number (text)) {
    usage_error ("--group: there is no group %s", text);
    return -1;
  }
  else if (parse_number_of ("--group", text, &s->group) == -1)
    return -1;
  s->set |= VHDKIT_SECURITY_GROUP;
  return 0;
}
