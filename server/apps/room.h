/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The application "/room": what one peer sends, all others in its room get.
 *
 *   /room?name=X    the room X, of at most 63 octets; without it, one for all
 *
 * A datagram goes to each other peer as a datagram.  Each stream of a peer
 * becomes a unidirectional stream to each of the others, with its end: FIN, or
 * the code it was reset with.  A bidirectional stream is answered with FIN.
 * Nothing says who sent it: let what is sent say so.
 *
 * The slow never hold the others.  What is sent is taken at once; a peer that
 * leaves more than ROOM_BACKLOG_MAX octets of one stream unread has that stream
 * reset with ROOM_TOO_SLOW, and one that allows no more streams misses new
 * ones.
 */
#ifndef SERVER_APPS_ROOM_H
#define SERVER_APPS_ROOM_H

#include "server/apps/app.h"

#define ROOM_PATH "/room"
#define ROOM_BACKLOG_MAX 262144
#define ROOM_TOO_SLOW 1

/* To be treated as opaque. */
typedef struct rooms {
  app app;
  struct room *first;
} rooms;

/* |rooms| stays where it is, and must outlive the connections that are served
   with it; then there is nothing to free. */
void rooms_init(rooms *rooms);

/* For wt_service.apps; lives as long as |rooms|. */
const app *rooms_app(const rooms *rooms);

#endif
