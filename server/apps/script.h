/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions that JavaScript serves.
 *
 * What happens to them is put into a batch of records (script_record.h) that
 * the host takes away once per turn of its loop, or later if JavaScript is
 * busy; what JavaScript asks comes in as batches too.  Nothing of what is here
 * knows that it is JavaScript.
 *
 * Memory is bounded on both sides.  Octets of streams are credited to flow
 * control when the application says that they are dealt with.  A stream that
 * was not given back yet lets the peer open no other.  Datagrams that the host
 * does not take away in time are dropped.  Requests that nobody answers are
 * refused.
 */
#ifndef SERVER_APPS_SCRIPT_H
#define SERVER_APPS_SCRIPT_H

#include "server/apps/app.h"
#include "server/apps/script_record.h"

/* Paths that JavaScript may claim. */
#define SCRIPT_PATHS_MAX 32
#define SCRIPT_PATH_LEN_MAX 255

/* Requests that may wait, of all clients, and how long; beyond that 503. */
#define SCRIPT_PENDING_MAX 64
#define SCRIPT_PENDING_TIME UINT64_C(10000000000) /* nanoseconds */

/* Sessions and streams that have a handle. */
#define SCRIPT_HANDLES_MAX 65536

/* Octets that the application may leave unread, of all sessions: whoever sends
   more has its session closed. */
#define SCRIPT_UNREAD_MAX ((size_t)64 * 1024 * 1024)

/* Datagrams of one session, and octets of those of all, in one batch. */
#define SCRIPT_DATAGRAMS_MAX 256
#define SCRIPT_DATAGRAM_OCTETS_MAX ((size_t)1024 * 1024)

/* What has left is told by itself only if it is this much, or all; else with
   whatever else there is to tell.  Octets of a stream, datagrams of a session:
   JavaScript may have several times as much on the way. */
#define SCRIPT_SENT_MIN (32 * 1024)
#define SCRIPT_DATAGRAMS_SENT_MIN 16

/* Octets that may wait to leave, of one stream: it is reset beyond. */
#define SCRIPT_BACKLOG_MAX ((size_t)1024 * 1024)

/* Streams of one session that may wait for the client to allow them. */
#define SCRIPT_WANTED_MAX 1024

typedef struct script script;

typedef struct script_counters {
  uint64_t requests_refused;  /* by SCRIPT_PENDING_* and SCRIPT_HANDLES_MAX */
  uint64_t datagrams_dropped; /* by SCRIPT_DATAGRAM* */
  uint64_t sessions_overrun;  /* by SCRIPT_UNREAD_MAX */
  uint64_t records_ignored;   /* of no meaning, or about what is not there */
} script_counters;

/*
 * |paths| are as in app.h, copied.  |mem| NULL: malloc and friends.
 * QUIC_ERR_NOMEM; QUIC_ERR_STATE if there are none or too many, or one does not
 * begin with "/", or is too long.
 */
int script_new(script **pscript, const char *const *paths, size_t npaths,
               const ngtcp2_mem *mem);

/* To be called when no session is left.  NULL is allowed. */
void script_free(script *script);

/* One application for each path; returns how many.  They live as long as
   |script|. */
size_t script_apps(const script *script, const app *const **papps);

/* Finishes the batch: |*pdata| points to its octets, which stay until the next
   call of anything here or of the connections.  Returns how many, 0: nothing
   has happened. */
size_t script_finish(script *script, const uint8_t **pdata);
/* It was taken away. */
void script_clear(script *script);

/* Does what |len| octets of records say.  0, or -1 if they are none: what comes
   before the first that is none is done. */
int script_feed(script *script, const uint8_t *data, size_t len);

/* When script_expire() is to be called, in nanoseconds of the monotonic clock;
   UINT64_MAX: never. */
uint64_t script_deadline(const script *script);
void script_expire(script *script, uint64_t now);

const script_counters *script_get_counters(const script *script);
/* Octets that came and are not dealt with. */
size_t script_unread(const script *script);

#endif
