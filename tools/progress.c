/* vhdkit: how far a task is: a bar for people, lines of JSON for programs.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The bar is drawn on standard error, only if that is a terminal, and not
 * before a second has passed: most things are over by then.  It is taken away
 * at the end, so that what is said next begins a line.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tools.h"

#define BAR_AFTER 1.0           /* seconds */
/* The rate is that of the last 32 looks, about six seconds: long enough not to
 * jump, short enough to follow. */
#define SAMPLES 32
/* What a pipe takes without making us wait, if it takes anything. */
#define LINE_LIMIT 4096

struct sample {
  double time;
  uint64_t bytes;
};

struct progress_view {
  enum progress_mode mode;
  FILE *json;
  int json_errno;                       /* of the first line that failed */
  double begun, bar_after;
  struct sample sample[SAMPLES];        /* a ring */
  size_t samples;                       /* ever taken */
  int drawn;                            /* columns of the bar on the screen */
};

/*----------------------------------------------------------------------
 * Options
 *--------------------------------------------------------------------*/

int
parse_progress (const char *text, struct progress_options *o)
{
  if (text == NULL)
    o->mode = PROGRESS_BAR;
  else if (strcmp (text, "auto") == 0)
    o->mode = PROGRESS_AUTO;
  else if (strcmp (text, "bar") == 0)
    o->mode = PROGRESS_BAR;
  else if (strcmp (text, "json") == 0)
    o->mode = PROGRESS_JSON;
  else if (strcmp (text, "none") == 0)
    o->mode = PROGRESS_NONE;
  else {
    usage_error ("--progress is auto, bar, json or none, not %s", text);
    return -1;
  }
  return 0;
}

int
parse_progress_fd (const char *text, struct progress_options *o)
{
  uint64_t n;

  if (parse_number ("--progress-fd", text, 1 << 20, &n) == -1)
    return -1;
  if (fcntl ((int) n, F_GETFD) == -1
      || (fcntl ((int) n, F_GETFL) & O_ACCMODE) == O_RDONLY) {
    usage_error ("--progress-fd: %s is not open for writing", text);
    return -1;
  }
  o->mode = PROGRESS_JSON;
  o->fd = (int) n;
  return 0;
}

/*----------------------------------------------------------------------
 * Rate and time
 *--------------------------------------------------------------------*/

static double
now (void)
{
  struct timespec t;

  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static void
take_sample (struct progress_view *v, uint64_t bytes)
{
  struct sample *s = &v->sample[v->samples++ % SAMPLES];

  s->time = now ();
  s->bytes = bytes;
}

/* Bytes per second; 0: nobody knows. */
static double
rate (const struct progress_view *v)
{
  const struct sample *last = &v->sample[(v->samples - 1) % SAMPLES];
  const struct sample *first =
    &v->sample[v->samples > SAMPLES ? v->samples % SAMPLES : 0];
  const double seconds = last->time - first->time;

  if (last->bytes <= first->bytes || seconds <= 0)
    return 0;
  return (double) (last->bytes - first->bytes) / seconds;
}

/* Negative: nobody knows. */
static double
seconds_left (const struct progress_view *v, const struct vhdkit_task_info *t)
{
  const double r = rate (v);

  if (r <= 0 || t->total_bytes < t->done_bytes)
    return -1;
  return (double) (t->total_bytes - t->done_bytes) / r;
}

/*----------------------------------------------------------------------
 * The bar
 *--------------------------------------------------------------------*/

static int
columns (void)
{
  struct winsize w;

  if (ioctl (STDERR_FILENO, TIOCGWINSZ, &w) == -1 || w.ws_col == 0)
    return 80;
  return w.ws_col;
}

static struct size_text
clock_text (double seconds)
{
  const uint64_t s = (uint64_t) (seconds + 0.5);
  struct size_text t;

  if (s < 3600)
    snprintf (t.s, sizeof t.s, "%" PRIu64 ":%02u", s / 60,
              (unsigned) (s % 60));
  else
    snprintf (t.s, sizeof t.s, "%" PRIu64 ":%02u:%02u", s / 3600,
              (unsigned) (s / 60 % 60), (unsigned) (s % 60));
  return t;
}

/* " 1.5 GiB of 4 GiB, 512 MiB/s, 0:05 left" */
static void
bar_text (const struct progress_view *v, const struct vhdkit_task_info *t,
          char *text, size_t size)
{
  const double r = rate (v), left = seconds_left (v, t);
  size_t n = 0;

  text[0] = '\0';
  if (t->total_bytes)
    n = (size_t) snprintf (text, size, " %s of %s",
                           human_size (t->done_bytes).s,
                           human_size (t->total_bytes).s);
  if (r > 0 && left >= 0)
    snprintf (text + n, size - n, ", %s/s, %s left",
              human_size ((uint64_t) r).s, clock_text (left).s);
}

static void
draw_bar (struct progress_view *v, const struct vhdkit_task_info *t)
{
  const int width = columns () - 1;     /* the last column would wrap */
  char text[256], line[512], bar[64];
  int room, i, n;

  bar_text (v, t, text, sizeof text);
  room = width - 4 - 3 - (int) strlen (text);
  if (room > 40)
    room = 40;
  bar[0] = '\0';
  if (room >= 5) {
    for (i = 0; i < room; i++)
      bar[i] = i < t->percent * room / 100 ? '#' : '-';
    bar[room] = '\0';
  }
  n = snprintf (line, sizeof line, bar[0] ? "%3d%% [%s]%s" : "%3d%%%s%s",
                t->percent, bar, text);
  if (n > width)
    n = width > 0 ? width : 0;
  /* Blanks over what was longer before. */
  fprintf (stderr, "\r%.*s%*s", n, line, v->drawn > n ? v->drawn - n : 0, "");
  fflush (stderr);
  v->drawn = n;
}

static void
erase_bar (struct progress_view *v)
{
  if (v->drawn)
    fprintf (stderr, "\r%*s\r", v->drawn, "");
  v->drawn = 0;
}

/*----------------------------------------------------------------------
 * JSON
 *--------------------------------------------------------------------*/

static const char *
result_name (enum vhdkit_task_result result)
{
  switch (result) {
  case VHDKIT_RESULT_NONE: return NULL;
  case VHDKIT_RESULT_SUCCESS: return "success";
  case VHDKIT_RESULT_CANCELLED: return "cancelled";
  case VHDKIT_RESULT_UNEXPECTED_ERROR: return "unexpected-error";
  case VHDKIT_RESULT_OUT_OF_MEMORY: return "out-of-memory";
  case VHDKIT_RESULT_DISK_RELATED_ERROR: return "disk-related-error";
  case VHDKIT_RESULT_INCOMPATIBLE_SAVED_STATE:
    return "incompatible-saved-state";
  case VHDKIT_RESULT_TIME_OUT: return "time-out";
  case VHDKIT_RESULT_ILLEGAL_VALUE: return "illegal-value";
  case VHDKIT_RESULT_THREAD_CRASH: return "thread-crash";
  case VHDKIT_RESULT_SHUTDOWN_ABORT: return "shutdown-abort";
  }
  return "unexpected-error";
}

/* While it runs, and after success, all of this is null. */
static void
add_error (json_t *o, const struct vhdkit_task_info *t)
{
  const bool failed = t->state == VHDKIT_TASK_DONE && t->error != VHDKIT_OK;
  char code[16];

  snprintf (code, sizeof code, "0x%08" PRIx32, error_number (t->error));
  json_add_text (o, "error", failed ? vhdkit_error_name (t->error) : NULL);
  json_add_text (o, "code", failed ? code : NULL);
  json_add (o, "errno", failed ? json_integer (t->error_errno)
            : json_null ());
  json_add_text (o, "message", failed ? t->error_text : NULL);
}

static json_t *
task_json (const struct progress_view *v, const struct vhdkit_task_info *t)
{
  const bool running = t->state == VHDKIT_TASK_RUNNING;
  const double left = seconds_left (v, t);
  json_t *o = json_object ();

  json_add_uint (o, "id", t->id);
  json_add_text (o, "kind", t->kind);
  json_add_text (o, "description", t->description);
  json_add_text (o, "state", running ? "running" : "done");
  json_add_uint (o, "percent", (uint64_t) t->percent);
  json_add_bool (o, "cancelable", running && t->cancelable);
  json_add_text (o, "result", result_name (t->result));
  add_error (o, t);
  json_add_uint (o, "done-bytes", t->done_bytes);
  json_add_uint (o, "total-bytes", t->total_bytes);
  json_add_uint (o, "bytes-per-second", (uint64_t) rate (v));
  json_add (o, "seconds-left", running && left >= 0 ? json_real (left)
            : json_null ());
  json_add (o, "seconds", json_real (now () - v->begun));
  return o;
}

/* A program that reads slowly misses lines; it does not hold up the work. */
static bool
reader_is_ready (FILE *fp)
{
  struct pollfd p = { .fd = fileno (fp), .events = POLLOUT };

  return poll (&p, 1, 0) == 1;
}

static void
write_json (struct progress_view *v, const struct vhdkit_task_info *t)
{
  const bool last = t->state == VHDKIT_TASK_DONE;
  json_t *o;
  char *line;

  if (ferror (v->json) || (!last && !reader_is_ready (v->json)))
    return;
  o = task_json (v, t);
  line = checked_alloc (json_dumps (o, JSON_COMPACT | JSON_REAL_PRECISION (6)));
  if (last || strlen (line) < LINE_LIMIT) {
    if (fprintf (v->json, "%s\n", line) < 0 || fflush (v->json) != 0)
      v->json_errno = errno;    /* the first: no line is tried after it */
  }
  free (line);
  json_decref (o);
}

/*----------------------------------------------------------------------*/

struct progress_view *
progress_begin (const struct progress_options *o)
{
  struct progress_view *v = checked_alloc (calloc (1, sizeof *v));

  v->mode = o->mode;
  v->begun = now ();
  v->bar_after = v->begun + (o->mode == PROGRESS_AUTO ? BAR_AFTER : 0);
  if (o->mode == PROGRESS_JSON)
    v->json = o->fd == STDOUT_FILENO ? stdout : o->fd == STDERR_FILENO ? stderr
      : checked_alloc (fdopen (o->fd, "w"));
  else if (o->mode != PROGRESS_NONE)
    v->mode = isatty (STDERR_FILENO) ? PROGRESS_BAR : PROGRESS_NONE;
  return v;
}

void
progress_show (struct progress_view *v, const struct vhdkit_task_info *t)
{
  if (v->mode == PROGRESS_NONE)
    return;
  take_sample (v, t->done_bytes);
  if (v->mode == PROGRESS_JSON)
    write_json (v, t);
  else if (now () >= v->bar_after)
    draw_bar (v, t);
}

/* Only what goes to stdout, as an answer does, makes the command fail. */
static void
end_json (struct progress_view *v)
{
  if (v->json == stderr)
    return;
  if (v->json == stdout) {
    if (v->json_errno)
      output_failed (v->json_errno);
    return;
  }
  if (fclose (v->json) != 0 && v->json_errno == 0)
    v->json_errno = errno;
  if (v->json_errno)
    complain (NULL, "warning: the progress could not be written: %s",
              strerror (v->json_errno));
}

void
progress_end (struct progress_view *v, const struct vhdkit_task_info *t)
{
  if (v->mode == PROGRESS_JSON) {
    take_sample (v, t->done_bytes);
    write_json (v, t);
    end_json (v);
  }
  erase_bar (v);
  free (v);
}
