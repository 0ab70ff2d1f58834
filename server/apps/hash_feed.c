/* SPDX-License-Identifier: Apache-2.0 */
#include "server/apps/hash_feed.h"

#include <stdlib.h>
#include <string.h>

/* wt_session_user(), and wt_stream_user() of our stream. */
typedef struct hash_feed_listener {
  struct hash_feed_listener *next, **link;
  wt_session *session;
  /* The document on its way, and its octets that have not left. */
  wt_stream *stream;
  size_t unsent;
  /* There is a newer document than this session was told. */
  int stale;
} hash_feed_listener;

/* Tells |listener| the document if it can be told now.  QUIC_ERR_NOMEM. */
static int tell(const hash_feed *feed, hash_feed_listener *listener) {
  wt_stream *stream;
  int rv;

  if (!listener->stale || listener->unsent) {
    return 0;
  }
  if (!feed->document) {
    listener->stale = 0;
    return 0;
  }
  rv = wt_session_open_stream(listener->session, &stream, 0);
  if (rv != 0) {
    /* Blocked: on_streams_available() follows. */
    return rv == QUIC_ERR_NOMEM ? rv : 0;
  }
  rv = wt_stream_write(stream, (const uint8_t *)feed->document, feed->len, 1);
  if (rv != 0) {
    wt_stream_reset(stream, 0);
    return rv;
  }
  wt_stream_set_user(stream, listener);
  listener->stream = stream;
  listener->unsent = feed->len;
  listener->stale = 0;
  return 0;
}

static int on_session(void *user, wt_session *session) {
  const ngtcp2_mem *mem = quic_conn_mem(wt_session_conn(session));
  hash_feed_listener *listener;
  hash_feed *feed = user;

  listener = mem->calloc(1, sizeof(*listener), mem->user_data);
  if (!listener) {
    return QUIC_ERR_NOMEM;
  }
  wt_session_set_user(session, listener);
  listener->session = session;
  listener->stale = 1;
  listener->next = feed->listeners;
  listener->link = &feed->listeners;
  if (feed->listeners) {
    feed->listeners->link = &listener->next;
  }
  feed->listeners = listener;
  ++feed->nlisteners;
  return tell(feed, listener);
}

static void on_session_closed(void *user, wt_session *session) {
  const ngtcp2_mem *mem = quic_conn_mem(wt_session_conn(session));
  hash_feed_listener *listener = wt_session_user(session);
  hash_feed *feed = user;

  if (!listener) {
    return;
  }
  *listener->link = listener->next;
  if (listener->next) {
    listener->next->link = listener->link;
  }
  --feed->nlisteners;
  mem->free(listener, mem->user_data);
  wt_session_set_user(session, NULL);
}

/* So that a stream of the peer's can end.  Nothing is allocated for it. */
static void answer(wt_stream *stream) {
  if (wt_stream_is_bidi(stream)) {
    (void)wt_stream_write(stream, NULL, 0, 1);
  }
}

static int on_stream_data(void *user, wt_stream *stream, const uint8_t *data,
                          size_t len, int fin) {
  (void)user;
  (void)data;
  (void)fin;
  wt_stream_consume(stream, len);
  answer(stream);
  return 0;
}

static void on_stream_reset(void *user, wt_stream *stream, uint32_t code) {
  (void)user;
  (void)code;
  answer(stream);
}

static void on_stream_sent(void *user, wt_stream *stream, size_t n) {
  hash_feed_listener *listener = wt_stream_user(stream);

  if (listener && listener->stream == stream) {
    listener->unsent -= n < listener->unsent ? n : listener->unsent;
    /* Without memory: with the next document. */
    (void)tell(user, listener);
  }
}

/* It does not want this one; perhaps the next. */
static void on_stop_sending(void *user, wt_stream *stream, uint32_t code) {
  hash_feed_listener *listener = wt_stream_user(stream);
  (void)code;

  if (listener && listener->stream == stream) {
    listener->unsent = 0;
    (void)tell(user, listener);
  }
}

static void on_stream_closed(void *user, wt_stream *stream) {
  hash_feed_listener *listener = wt_stream_user(stream);
  (void)user;

  /* Nothing is told from here: the session may be about to end. */
  if (listener && listener->stream == stream) {
    listener->stream = NULL;
    listener->unsent = 0;
  }
}

static int on_streams_available(void *user, wt_session *session, int bidi) {
  hash_feed_listener *listener = wt_session_user(session);

  return bidi || !listener ? 0 : tell(user, listener);
}

void hash_feed_init(hash_feed *feed) {
  memset(feed, 0, sizeof(*feed));
  feed->app.path = HASH_FEED_PATH;
  feed->app.user = feed;
  feed->app.on_session = on_session;
  feed->app.on_session_closed = on_session_closed;
  feed->app.on_stream_data = on_stream_data;
  feed->app.on_stream_reset = on_stream_reset;
  feed->app.on_stop_sending = on_stop_sending;
  feed->app.on_stream_sent = on_stream_sent;
  feed->app.on_stream_closed = on_stream_closed;
  feed->app.on_streams_available = on_streams_available;
}

void hash_feed_free(hash_feed *feed) {
  free(feed->document);
  feed->document = NULL;
}

int hash_feed_set(hash_feed *feed, const char *jws, size_t len) {
  hash_feed_listener *listener;
  char *document = NULL;

  if (len == feed->len && (len == 0 || memcmp(jws, feed->document, len) == 0)) {
    return 0;
  }
  if (len) {
    document = malloc(len);
    if (!document) {
      return QUIC_ERR_NOMEM;
    }
    memcpy(document, jws, len);
  }
  free(feed->document);
  feed->document = document;
  feed->len = len;
  for (listener = feed->listeners; listener; listener = listener->next) {
    listener->stale = 1;
    (void)tell(feed, listener);
  }
  return 0;
}

const app *hash_feed_app(const hash_feed *feed) { return &feed->app; }

size_t hash_feed_sessions(const hash_feed *feed) { return feed->nlisteners; }
