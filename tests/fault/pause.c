/* vhdkit tests: coming in between any two instructions.  See pause.h.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Tracing is done with the processor's trap flag: a signal after each
 * instruction.  That is slow, so it is done once, and later on a breakpoint
 * takes the place of one instruction.
 */
#include <config.h>

#include "pause.h"

#ifdef __x86_64__

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define TRAP_FLAG 0x100
#define BREAKPOINT 0xcc

/* The linker says where the code of the program begins and ends. */
extern const uint8_t __executable_start[], etext[];

static uint8_t *seen;           /* for each byte of the code: while tracing */
static _Atomic bool tracing;
static uint8_t *place, original;        /* of the breakpoint; NULL: none */
static pause_fn between;
static void *between_opaque;

static uintptr_t
program_start (void)
{
  return (uintptr_t) __executable_start;
}

static size_t
program_bytes (void)
{
  return (uintptr_t) etext - program_start ();
}

/* Are the operands that follow registers, or on the stack (at rsp, not r12)? */
static bool
is_private (const uint8_t *operands, uint8_t rex)
{
  return operands[0] >> 6 == 3
         || ((operands[0] & 7) == 4 && (operands[1] & 7) == 4 && !(rex & 1));
}

/* Does this instruction touch no memory that other threads see?  Then coming
 * in before it is coming in before the next one.  Knows the common ones: of
 * others the answer is no. */
static bool
keeps_to_itself (const uint8_t *p)
{
  uint8_t rex = 0;

  for (; *p == 0x66 || *p >> 4 == 4; p++)
    rex = *p >> 4 == 4 ? *p : rex;
  if (*p >> 4 == 5 || *p >> 4 == 7 || *p >> 4 == 0xb)
    return true;                /* push, pop; jumps; constants */
  if (*p == 0xe8 || *p == 0xe9 || *p == 0xeb || *p == 0xc3 || *p == 0x8d)
    return true;                /* call, jump, return; lea */
  if (*p == 0x0f) {
    uint8_t high = p[1] >> 4;

    return high == 8            /* jumps; cmov, set, extend, multiply */
           || ((high == 4 || high == 9 || p[1] == 0xb6 || p[1] == 0xb7
                || p[1] == 0xaf) && is_private (p + 2, rex));
  }
  /* Arithmetic, test, mov, shifts, not, neg. */
  return ((*p < 0x40 && (*p & 7) < 4) || (*p >= 0x80 && *p <= 0x8b)
          || *p == 0xc1 || *p == 0xc7 || *p == 0xd1 || *p == 0xd3
          || *p == 0xf6 || *p == 0xf7)
         && *p != 0x86 && *p != 0x87 && is_private (p + 1, rex);
}

static void
take_away_breakpoint (void)
{
  if (place)
    *(volatile uint8_t *) place = original;
  place = NULL;
}

/* The breakpoint is in code of ours, not in the C library's: so this may call
 * what it likes, though it is a signal handler. */
static void
come_between (greg_t *reg)
{
  take_away_breakpoint ();
  reg[REG_RIP]--;               /* what is there again is to be run */
  between (between_opaque);
}

static void
on_trap (int sig, siginfo_t *info, void *context)
{
  greg_t *reg = ((ucontext_t *) context)->uc_mcontext.gregs;
  uintptr_t at = (uintptr_t) reg[REG_RIP];

  (void) sig;
  (void) info;
  if (tracing) {
    reg[REG_EFL] |= TRAP_FLAG;
    if (at - program_start () < program_bytes ())
      seen[at - program_start ()] = 1;
  }
  else if (place && at == (uintptr_t) place + 1)
    come_between (reg);
  else
    reg[REG_EFL] &= ~TRAP_FLAG;
}

bool
pause_possible (void)
{
  struct sigaction action = { .sa_sigaction = on_trap,
                              .sa_flags = SA_SIGINFO };
  size_t page = sysconf (_SC_PAGESIZE);
  uintptr_t start = program_start () / page * page;

  return sigaction (SIGTRAP, &action, NULL) == 0
         && mprotect ((void *) start, (uintptr_t) etext - start,
                      PROT_READ | PROT_WRITE | PROT_EXEC) == 0;
}

size_t
pause_trace (pause_fn fn, void *opaque, uintptr_t **ret_address)
{
  size_t bytes = program_bytes (), n = 0, k;
  uintptr_t *address = malloc (bytes * sizeof *address);

  seen = calloc (bytes, 1);
  if (seen == NULL || address == NULL)
    abort ();
  tracing = true;
  raise (SIGTRAP);              /* the handler sets the flag */
  fn (opaque);
  tracing = false;
  for (k = 0; k < bytes; k++)
    if (seen[k] && !keeps_to_itself (__executable_start + k))
      address[n++] = program_start () + k;
  free (seen);
  *ret_address = address;
  return n;
}

void
pause_at (uintptr_t address, pause_fn fn, void *opaque)
{
  between = fn;
  between_opaque = opaque;
  place = (uint8_t *) address;
  original = *place;
  *(volatile uint8_t *) place = BREAKPOINT;
}

bool
pause_over (void)
{
  bool come = place == NULL;

  take_away_breakpoint ();
  return come;
}

#else

#include <stdlib.h>

bool
pause_possible (void)
{
  return false;
}

size_t
pause_trace (pause_fn fn, void *opaque, uintptr_t **ret_address)
{
  fn (opaque);
  *ret_address = NULL;
  return 0;
}

void
pause_at (uintptr_t address, pause_fn fn, void *opaque)
{
  (void) address;
  (void) fn;
  (void) opaque;
}

bool
pause_over (void)
{
  return false;
}

#endif
