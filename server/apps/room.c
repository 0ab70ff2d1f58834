/* SPDX-License-Identifier: Apache-2.0 */
#include "server/apps/room.h"

#include "server/apps/query.h"

#include <string.h>

#define NAME_MAX_LEN 63

typedef struct room {
  struct room *next, **link;
  struct room_peer *peers;
  char name[NAME_MAX_LEN + 1];
} room;

/* wt_session_user(). */
typedef struct room_peer {
  struct room_peer *next, **link;
  wt_session *session;
  room *room;
} room_peer;

/* wt_stream_user(): of a peer's stream, its |copies|; of one of ours, its place
   among them.  |stream| tells which stream it is. */
typedef struct room_stream {
  wt_stream *stream;
  /* The copies of this one, for the other peers. */
  struct room_stream *copies;
  /* The next copy of the same; |link| is NULL once it stands alone. */
  struct room_stream *next, **link;
} room_stream;

static const ngtcp2_mem *mem_of(wt_session *session) {
  return quic_conn_mem(wt_session_conn(session));
}

/* ---- Coming and going ---- */

static room *find_room(rooms *all, const char *name, const ngtcp2_mem *mem) {
  room *r = all->first;

  while (r && strcmp(r->name, name) != 0) {
    r = r->next;
  }
  if (r) {
    return r;
  }
  r = mem->calloc(1, sizeof(*r), mem->user_data);
  if (r) {
    memcpy(r->name, name, strlen(name) + 1);
    r->next = all->first;
    r->link = &all->first;
    if (r->next) {
      r->next->link = &r->next;
    }
    all->first = r;
  }
  return r;
}

static void close_room(room *r, const ngtcp2_mem *mem) {
  *r->link = r->next;
  if (r->next) {
    r->next->link = r->link;
  }
  mem->free(r, mem->user_data);
}

static int on_session(void *user, wt_session *session) {
  const ngtcp2_mem *mem = mem_of(session);
  char name[NAME_MAX_LEN + 1];
  room_peer *peer;

  if (query_get(name, sizeof(name), wt_session_path(session), "name") != 0) {
    name[0] = '\0';
  }
  peer = mem->calloc(1, sizeof(*peer), mem->user_data);
  if (!peer) {
    return QUIC_ERR_NOMEM;
  }
  peer->session = session;
  peer->room = find_room(user, name, mem);
  if (!peer->room) {
    mem->free(peer, mem->user_data);
    return QUIC_ERR_NOMEM;
  }
  peer->next = peer->room->peers;
  peer->link = &peer->room->peers;
  if (peer->next) {
    peer->next->link = &peer->next;
  }
  peer->room->peers = peer;
  wt_session_set_user(session, peer);
  return 0;
}

static void on_session_closed(void *user, wt_session *session) {
  const ngtcp2_mem *mem = mem_of(session);
  room_peer *peer = wt_session_user(session);
  (void)user;

  if (!peer) {
    return;
  }
  *peer->link = peer->next;
  if (peer->next) {
    peer->next->link = peer->link;
  }
  if (!peer->room->peers) {
    close_room(peer->room, mem);
  }
  mem->free(peer, mem->user_data);
  wt_session_set_user(session, NULL);
}

/* ---- Streams ---- */

/* |copy| gets nothing more. */
static void detach(room_stream *copy) {
  if (copy->link) {
    *copy->link = copy->next;
    if (copy->next) {
      copy->next->link = copy->link;
    }
    copy->link = NULL;
    copy->next = NULL;
  }
}

static void abandon(room_stream *copy, uint32_t code) {
  detach(copy);
  wt_stream_reset(copy->stream, code);
}

static void abandon_all(room_stream *original, uint32_t code) {
  while (original->copies) {
    abandon(original->copies, code);
  }
}

/* Opens a copy for |peer|, if that can be had. */
static void add_copy(room_stream *original, const room_peer *peer) {
  const ngtcp2_mem *mem = mem_of(peer->session);
  room_stream *copy = mem->calloc(1, sizeof(*copy), mem->user_data);

  if (!copy) {
    return;
  }
  if (wt_session_open_stream(peer->session, &copy->stream, 0) != 0) {
    mem->free(copy, mem->user_data);
    return;
  }
  wt_stream_set_user(copy->stream, copy);
  copy->next = original->copies;
  copy->link = &original->copies;
  if (copy->next) {
    copy->next->link = &copy->next;
  }
  original->copies = copy;
}

/* The peer's |stream| has begun. */
static int begin(wt_stream *stream) {
  wt_session *session = wt_stream_session(stream);
  const ngtcp2_mem *mem = mem_of(session);
  const room_peer *self = wt_session_user(session), *peer;
  room_stream *original = mem->calloc(1, sizeof(*original), mem->user_data);

  if (!original) {
    return QUIC_ERR_NOMEM;
  }
  original->stream = stream;
  wt_stream_set_user(stream, original);
  for (peer = self->room->peers; peer; peer = peer->next) {
    if (peer != self) {
      add_copy(original, peer);
    }
  }
  return wt_stream_is_bidi(stream) ? wt_stream_write(stream, NULL, 0, 1) : 0;
}

static int on_stream_data(void *user, wt_stream *stream, const uint8_t *data,
                          size_t len, int fin) {
  room_stream *original = wt_stream_user(stream), *copy, *next;
  (void)user;

  if (!original) {
    int rv = begin(stream);

    if (rv == QUIC_ERR_NOMEM) {
      return rv;
    }
    original = wt_stream_user(stream);
  }
  for (copy = original->copies; copy; copy = next) {
    next = copy->next;
    if (quic_stream_pending(wt_stream_quic(copy->stream)) + len >
        ROOM_BACKLOG_MAX) {
      abandon(copy, ROOM_TOO_SLOW);
    } else if (wt_stream_write(copy->stream, data, len, fin) != 0) {
      /* For want of memory, or the peer wants no more of it: its loss. */
      abandon(copy, ROOM_TOO_SLOW);
    } else if (fin) {
      detach(copy);
    }
  }
  wt_stream_consume(stream, len);
  return 0;
}

static void on_stream_reset(void *user, wt_stream *stream, uint32_t code) {
  room_stream *original = wt_stream_user(stream);
  (void)user;

  if (original) {
    abandon_all(original, code);
  }
}

static void on_stop_sending(void *user, wt_stream *stream, uint32_t code) {
  room_stream *copy = wt_stream_user(stream);
  (void)user;

  if (copy && copy->link) {
    abandon(copy, code);
  }
}

static void on_stream_closed(void *user, wt_stream *stream) {
  const ngtcp2_mem *mem = mem_of(wt_stream_session(stream));
  room_stream *self = wt_stream_user(stream);
  (void)user;

  if (self) {
    /* One that ended well has none attached any more. */
    abandon_all(self, 0);
    detach(self);
    mem->free(self, mem->user_data);
    wt_stream_set_user(stream, NULL);
  }
}

/* ---- Datagrams ---- */

static void on_datagram(void *user, wt_session *session, const uint8_t *data,
                        size_t len) {
  const room_peer *self = wt_session_user(session), *peer;
  (void)user;

  for (peer = self->room->peers; peer; peer = peer->next) {
    if (peer != self) {
      /* It may be lost anyway. */
      (void)wt_session_send_datagram(peer->session, data, len);
    }
  }
}

void rooms_init(rooms *all) {
  memset(all, 0, sizeof(*all));
  all->app.path = ROOM_PATH;
  all->app.user = all;
  all->app.on_session = on_session;
  all->app.on_session_closed = on_session_closed;
  all->app.on_stream_data = on_stream_data;
  all->app.on_stream_reset = on_stream_reset;
  all->app.on_stop_sending = on_stop_sending;
  all->app.on_stream_closed = on_stream_closed;
  all->app.on_datagram = on_datagram;
}

const app *rooms_app(const rooms *all) { return &all->app; }
