/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The application "/.fortnight/hashes": tells each session the signed hash set
 * (hashset_signed.h) that is published, and each new one.
 *
 * Each document is a unidirectional stream of ours: the JWS in its compact
 * form, and FIN.  The last one counts.  A session that cannot keep up is told
 * the newest alone: no document is written before all of the one before has
 * left, so a session never costs more than one document and what is in flight.
 * What clients send is read and dropped; their bidirectional streams get an
 * empty answer.
 */
#ifndef SERVER_APPS_HASH_FEED_H
#define SERVER_APPS_HASH_FEED_H

#include "server/apps/app.h"

#define HASH_FEED_PATH "/.fortnight/hashes"

struct hash_feed_listener;

/* To be treated as opaque. */
typedef struct hash_feed {
  app app;
  char *document; /* NULL: nothing is published */
  size_t len;
  struct hash_feed_listener *listeners;
  size_t nlisteners;
} hash_feed;

/* Nothing is published yet: sessions are opened and wait.  |feed| stays where
   it is. */
void hash_feed_init(hash_feed *feed);

/* Only after the connections that were served with it. */
void hash_feed_free(hash_feed *feed);

/*
 * Publishes the |len| octets at |jws|, copied, to all sessions, those to come
 * too; |len| 0: nothing any more.  The document that is published already is
 * not told again.  Packets go out with quic_endpoint_send(); not to be called
 * from within its or quic_endpoint_receive()'s callbacks, on_initial excepted.
 * A session for which there is no memory is told with the next document.
 *
 * Returns 0, or QUIC_ERR_NOMEM: nothing has changed.
 */
int hash_feed_set(hash_feed *feed, const char *jws, size_t len);

/* For wt_service.apps; lives as long as |feed|. */
const app *hash_feed_app(const hash_feed *feed);

/* Sessions that are open. */
size_t hash_feed_sessions(const hash_feed *feed);

#endif
