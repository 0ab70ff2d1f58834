/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps ngtcp2 from being asked for packets while it may send nothing: to an
 * address that is not validated yet goes at most three times what came from it
 * (RFC 9000 section 8.1).
 *
 * When ngtcp2 1.24 finds that allowance used up after the handshake, it cancels
 * its loss timer, and only an acknowledgement or another packet sets it again.
 * If the window is full by then there will be neither, though the path is
 * validated a moment later: the connection stays open and says nothing more.
 * Not asked at that moment, it leaves the timer alone.
 *
 * ngtcp2 does not tell its allowance, so what it counts is counted here too.
 */
#ifndef SERVER_QUIC_PATH_GUARD_H
#define SERVER_QUIC_PATH_GUARD_H

#include <ngtcp2/ngtcp2.h>
#include <stddef.h>
#include <stdint.h>

/* Octets that came from a path, and went to it. */
typedef struct path_count {
  int known;
  ngtcp2_path_storage path;
  uint64_t received, sent;
} path_count;

/* Zeroed: no path is being validated. */
typedef struct path_guard {
  /* Where ngtcp2 sends now, while that is being validated. */
  path_count current;
  /* Where a client looked whether it could go there, before it goes. */
  path_count probed;
} path_guard;

/* ngtcp2 begins to validate |path|, and |current| is where it sends now.  A
   second time for the same path means that it is validated, and that only its
   MTU is in question. */
void path_guard_begin(path_guard *guard, const ngtcp2_path *path,
                      const ngtcp2_path *current);
/* The validation of |path| came to an end of whatever kind. */
void path_guard_end(path_guard *guard, const ngtcp2_path *path);

/* A datagram of |len| octets came from |path| and has been read, or goes to
   it. */
void path_guard_received(path_guard *guard, const ngtcp2_path *path,
                         const ngtcp2_path *current, size_t len);
void path_guard_sent(path_guard *guard, const ngtcp2_path *path, size_t len);

/* Whether nothing may be sent to |current| until something comes from it. */
int path_guard_blocks(const path_guard *guard, const ngtcp2_path *current);

#endif
