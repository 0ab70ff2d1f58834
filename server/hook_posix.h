/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands of the person's that are run when something happens, in the host's
 * own loop: nothing here waits for them but hook_close().
 *
 *   hook_open(&h, &config);
 *   hook_publish(h, publication, now);     // from the callback of the
 * appliance for (;;) { ppoll() for hook_pollfds(h), until hook_deadline(h);
 *     hook_serve(h, now);
 *   }
 *
 * A command is run by `/bin/sh -c` in a process group of its own, one at a
 * time.  It can read what it is told about from standard input (which is as if
 * redirected from a file), writes to our standard error, and has these in its
 * environment beside ours:
 *
 *   FORTNIGHT_HOOK    "on-publish" or "on-event": the name in the configuration
 *   FORTNIGHT_TRY     1; grows if it is run again for the same thing
 *   FORTNIGHT_DROPPED how many before this one it was never told about
 *
 *   of a publication (standard input: the signed document, without a newline)
 *   FORTNIGHT_SEQ, _EPOCH, _ISSUED_AT, _REFRESH_AFTER, _VALID_UNTIL, _MAX_AGE,
 *   _URL, _LINK, _IDENTITY; times in seconds since 1970 UTC
 *
 *   of an event (standard input: the line of the journal, with its newline)
 *   FORTNIGHT_EVENT, _TIME, _ID, _FROM, _TO, _TEXT, _VALUE; empty if the entry
 *   has no such member
 *
 * It has failed if it ends with another status than 0, by a signal, or is
 * still there after its time-out: then its whole group is sent SIGTERM and, if
 * that does not help, SIGKILL.  It is run again after 1 s, 5 s, 30 s, 2 min and
 * then every 10 min, each up to a quarter longer; but at once if there is
 * something newer to tell and only that counts.
 *
 * NULL is allowed for a hook everywhere: it is one that has nothing to do.
 * |now| is in nanoseconds of a clock that never runs backwards.
 */
#ifndef SERVER_HOOK_POSIX_H
#define SERVER_HOOK_POSIX_H

#include "certmgr/certmgr.h"
#include "server/documents.h"

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#define HOOK_POLLFDS_MAX 1

/* For how long a command may run, in nanoseconds. */
#define HOOK_TIMEOUT UINT64_C(30000000000)

/* How many things may wait at most, and how often each is tried, if all
   count. */
#define HOOK_QUEUE_MAX 256
#define HOOK_TRIES_MAX 5

typedef enum hook_error { HOOK_ERR_NOMEM = -1101 } hook_error;

typedef enum hook_kind {
  /* Only the newest thing counts: it takes the place of one that waits, and is
     tried for ever. */
  HOOK_NEWEST,
  /* All count, in order.  Each is dropped after HOOK_TRIES_MAX failures; if too
     many wait, the oldest but the one whose turn it is. */
  HOOK_ALL
} hook_kind;

typedef struct hook_config {
  const char *name;    /* "on-publish"; copied. */
  const char *command; /* Copied. */
  hook_kind kind;
  uint64_t timeout;        /* Nanoseconds; 0: HOOK_TIMEOUT. */
  size_t queue_max;        /* At least 2; 0: HOOK_QUEUE_MAX. */
  const cm_random *random; /* Borrowed.  NULL: cm_random_system. */
  /* A line about a failure, for the log.  What makes an event of it would make
     a failing command run for ever.  May be NULL. */
  void (*log)(void *user, const char *text);
  void *user;
} hook_config;

typedef struct hook hook;

/* Makes a hook that has not been told anything.  If SIGCHLD is ignored it is
   set to its default, for otherwise no exit status can be had.  0, or
   HOOK_ERR_NOMEM. */
int hook_open(hook **phook, const hook_config *config);

/* Ends a command that runs, waiting for it up to two seconds, and forgets what
   waits. */
void hook_close(hook *hook);

/*
 * Tells about |publication|: the command runs at the next hook_serve().  If
 * there is nothing to connect with any more (|jws| is empty), what waits is
 * forgotten, and nothing is run.  0, or HOOK_ERR_NOMEM.
 */
int hook_publish(hook *hook, const cm_publication *publication, uint64_t now);

/* Tells about |entry|, whose line in the journal is the |len| octets of |line|.
   0, or HOOK_ERR_NOMEM; then the event counts as dropped. */
int hook_event(hook *hook, const cm_journal_entry *entry, const char *line,
               size_t len, uint64_t now);

/* Tells anything: |len| octets, and |n| strings "NAME=value" for the
   environment.  All is copied.  0, or HOOK_ERR_NOMEM. */
int hook_tell(hook *hook, const void *data, size_t len,
              const char *const *environment, size_t n, uint64_t now);

/* Fills |fds| and returns how many. */
size_t hook_pollfds(const hook *hook, struct pollfd fds[HOOK_POLLFDS_MAX]);

/* When hook_serve() is to be called if nothing is ready until then;
   UINT64_MAX if never. */
uint64_t hook_deadline(const hook *hook);

/* Does what is due.  It may be called at any time. */
void hook_serve(hook *hook, uint64_t now);

/* Whether the command runs, or is due at |now|: who wants to end may wait for
   that, for a while. */
int hook_is_busy(const hook *hook, uint64_t now);

/* How it is doing; the strings are the hook's, and stay until it is served
   again. */
void hook_get_health(const hook *hook, documents_hook *health);

#endif
