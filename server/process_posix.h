/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of a shell command, in the host's own loop.
 *
 * It runs in a process group of its own with default signals.  Its standard
 * input is a file in memory, so that it is not ours to feed it however slowly
 * it reads; its standard output is our standard error.  A command that is still
 * there when its time is over is sent SIGTERM with its whole group, and
 * SIGKILL PROCESS_GRACE later.
 */
#ifndef SERVER_PROCESS_POSIX_H
#define SERVER_PROCESS_POSIX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* In nanoseconds. */
#define PROCESS_GRACE UINT64_C(5000000000)

typedef enum process_phase {
  PROCESS_ENDED,
  PROCESS_RUNNING,
  PROCESS_TERMINATING, /* It was sent SIGTERM. */
  PROCESS_KILLED       /* It was sent SIGKILL. */
} process_phase;

/* All zeros is one that has ended. */
typedef struct process {
  process_phase phase;
  pid_t pid;
  /* To be polled for POLLIN, unless it has ended. */
  int fd;
  /* When process_watch() is to be called at the latest; UINT64_MAX if only |fd|
     tells. */
  uint64_t until;
  uint64_t timeout;
  /* Why it failed, for a person; "" if it did not. */
  char error[128];
} process;

typedef struct process_input {
  const char *command; /* For `/bin/sh -c`. */
  const void *data;
  size_t len;
  /* |n| strings "NAME=value", in place of those of our environment that have
     these names. */
  char *const *environment;
  size_t n;
} process_input;

/* Runs |input|, which may be gone when this returns, for |timeout| nanoseconds
   at most.  0, or -1 with |p->error| if it cannot be run. */
int process_start(process *p, const process_input *input, uint64_t timeout,
                  uint64_t now);

/* Whether it has ended; then |p->error| says how.  Ends it if its time is
   over.  Never waits. */
int process_watch(process *p, uint64_t now);

/* Ends it, waiting for it up to two seconds. */
void process_end(process *p);

#endif
