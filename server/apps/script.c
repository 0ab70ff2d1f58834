/* SPDX-License-Identifier: Apache-2.0 */
#include "server/apps/script_internal.h"

#include "server/udp.h"

#include <nghttp3/nghttp3.h>
#include <stdlib.h>
#include <string.h>

static void *malloc_of(size_t size, void *user) {
  (void)user;
  return malloc(size);
}

static void free_of(void *ptr, void *user) {
  (void)user;
  free(ptr);
}

static void *calloc_of(size_t n, size_t size, void *user) {
  (void)user;
  return calloc(n, size);
}

static void *realloc_of(void *ptr, size_t size, void *user) {
  (void)user;
  return realloc(ptr, size);
}

/* ---- Handles ---- */

/* Gives |o| a handle.  QUIC_ERR_NOMEM. */
static int give_handle(script *s, object *o) {
  const ngtcp2_mem *mem = &s->mem;

  if (s->nvacant == 0 && s->nobjects == s->room) {
    size_t room = s->room ? 2 * s->room : 64;
    object **objects;
    uint32_t *vacant;

    if (room > SCRIPT_HANDLES_MAX) {
      return QUIC_ERR_NOMEM;
    }
    objects = mem->realloc(s->objects, room * sizeof(object *), mem->user_data);
    if (!objects) {
      return QUIC_ERR_NOMEM;
    }
    s->objects = objects;
    vacant = mem->realloc(s->vacant, room * sizeof(*vacant), mem->user_data);
    if (!vacant) {
      return QUIC_ERR_NOMEM;
    }
    s->vacant = vacant;
    s->room = room;
  }
  o->handle = s->nvacant ? s->vacant[--s->nvacant] : (uint32_t)++s->nobjects;
  s->objects[o->handle - 1] = o;
  return 0;
}

static void take_handle(script *s, const object *o) {
  s->objects[o->handle - 1] = NULL;
  s->vacant[s->nvacant++] = o->handle;
}

/* ---- Telling ---- */

static int tell(script *s, script_told type, uint8_t flags, const object *about,
                uint32_t value) {
  const script_record record = {(uint8_t)type, flags, about->handle,
                                value,         NULL,  0};

  return script_batch_add(&s->batch, &record) == 0 ? 0 : QUIC_ERR_NOMEM;
}

void script_fail(quic_conn *conn) {
  (void)quic_conn_fail(conn, NGHTTP3_H3_INTERNAL_ERROR, "no memory");
  quic_conn_wake(conn);
}

quic_conn *script_conn_of(const script_session *session) {
  return wt_session_conn(session->wt);
}

/* ---- Streams ---- */

void script_consume(script_stream *stream, size_t n) {
  script_session *session = stream->session;

  if (n > stream->unread) {
    n = stream->unread;
  }
  stream->unread -= n;
  session->script->unread -= n;
  if (stream->wt) {
    wt_stream_consume(stream->wt, n);
  } else if (session->wt) {
    quic_conn_consume(script_conn_of(session), NULL, n);
  }
}

/* Nobody waits for anything of it: the peer may open another. */
static void let_go(script_stream *stream) {
  script_session *session = stream->session;
  ngtcp2_conn *ngtcp2;

  script_consume(stream, stream->unread);
  if (!stream->held || !session->wt) {
    return;
  }
  stream->held = 0;
  ngtcp2 = quic_conn_ngtcp2(script_conn_of(session));
  if (stream->bidi) {
    ngtcp2_conn_extend_max_streams_bidi(ngtcp2, 1);
  } else {
    ngtcp2_conn_extend_max_streams_uni(ngtcp2, 1);
  }
  quic_conn_wake(script_conn_of(session));
}

static void forget_sent(script_stream *stream) {
  if (stream->sent_link) {
    *stream->sent_link = stream->sent_next;
    if (stream->sent_next) {
      stream->sent_next->sent_link = stream->sent_link;
    }
    stream->sent_link = NULL;
  }
  stream->sent = 0;
}

void script_free_stream(script_stream *stream) {
  script *s = stream->session->script;

  if (stream->wt) {
    wt_stream_set_user(stream->wt, NULL);
  }
  let_go(stream);
  forget_sent(stream);
  *stream->link = stream->next;
  if (stream->next) {
    stream->next->link = stream->link;
  }
  take_handle(s, &stream->base);
  s->mem.free(stream, s->mem.user_data);
}

/* Introduces |wt|.  QUIC_ERR_NOMEM. */
static int new_stream(script_stream **pstream, script_session *session,
                      wt_stream *wt, int local) {
  script *s = session->script;
  quic_stream *quic = wt_stream_quic(wt);
  script_stream *stream = s->mem.calloc(1, sizeof(*stream), s->mem.user_data);
  int bidi = wt_stream_is_bidi(wt);

  *pstream = NULL;
  if (!stream) {
    return QUIC_ERR_NOMEM;
  }
  stream->base.is_stream = 1;
  if (give_handle(s, &stream->base) != 0) {
    goto fail_stream;
  }
  if (tell(s, SCRIPT_STREAM,
           (uint8_t)((bidi ? SCRIPT_BIDI : 0) | (local ? SCRIPT_LOCAL : 0)),
           &stream->base, session->base.handle) != 0) {
    goto fail_handle;
  }
  stream->session = session;
  stream->wt = wt;
  stream->bidi = (uint8_t)bidi;
  stream->next = session->streams;
  stream->link = &session->streams;
  if (stream->next) {
    stream->next->link = &stream->next;
  }
  session->streams = stream;
  wt_stream_set_user(wt, stream);
  /* QUIC is done with one that came before its session, and has let the peer
     open another. */
  if (!local && quic->id >= 0) {
    quic_stream_hold_credit(quic);
    stream->held = 1;
  }
  *pstream = stream;
  return 0;

fail_handle:
  take_handle(s, &stream->base);
fail_stream:
  s->mem.free(stream, s->mem.user_data);
  return QUIC_ERR_NOMEM;
}

int script_open_wanted(script_session *session, int bidi) {
  script_stream *stream;
  wt_stream *wt;
  int rv;

  while (session->wanted[bidi]) {
    rv = wt_session_open_stream(session->wt, &wt, bidi);
    if (rv != 0) {
      return rv == QUIC_ERR_BLOCKED ? 0 : rv;
    }
    rv = new_stream(&stream, session, wt, 1);
    if (rv != 0) {
      return rv;
    }
    --session->wanted[bidi];
  }
  return 0;
}

static int on_stream_data(void *user, wt_stream *wt, const uint8_t *data,
                          size_t len, int fin) {
  script *s = user;
  script_session *session = wt_session_user(wt_stream_session(wt));
  script_stream *stream = wt_stream_user(wt);
  int rv;

  if (!stream) {
    rv = new_stream(&stream, session, wt, 0);
    if (rv != 0) {
      return rv;
    }
  }
  if (stream->stopped) {
    wt_stream_consume(wt, len);
    return 0;
  }
  if (s->unread + len > SCRIPT_UNREAD_MAX) {
    ++s->counters.sessions_overrun;
    wt_stream_consume(wt, len);
    rv = wt_session_close(session->wt, 0, "the application does not read");
    return rv == QUIC_ERR_STATE ? 0 : rv;
  }
  if (script_batch_extend(&s->batch, SCRIPT_DATA, stream->base.handle, data,
                          len, fin ? SCRIPT_FIN : 0) != 0) {
    return QUIC_ERR_NOMEM;
  }
  stream->unread += len;
  s->unread += len;
  return 0;
}

static void on_stream_reset(void *user, wt_stream *wt, uint32_t code) {
  script *s = user;
  script_stream *stream = wt_stream_user(wt);

  if (!stream) {
    return;
  }
  if (stream->stopped) {
    /* The answer to STOP_SENDING. */
    return;
  }
  /* What came before it is not to be read (W3C WebTransport section 6.4). */
  script_consume(stream, stream->unread);
  stream->stopped = 1;
  if (tell(s, SCRIPT_WAS_RESET, 0, &stream->base, code) != 0) {
    script_fail(script_conn_of(stream->session));
  }
}

static void on_stop_sending(void *user, wt_stream *wt, uint32_t code) {
  script *s = user;
  script_stream *stream = wt_stream_user(wt);

  if (stream && tell(s, SCRIPT_WAS_STOPPED, 0, &stream->base, code) != 0) {
    script_fail(script_conn_of(stream->session));
  }
}

static void on_stream_sent(void *user, wt_stream *wt, size_t n) {
  script *s = user;
  script_stream *stream = wt_stream_user(wt);

  if (!stream) {
    return;
  }
  stream->sent += (uint32_t)n;
  if (!stream->sent_link) {
    stream->sent_next = s->sent;
    stream->sent_link = &s->sent;
    if (stream->sent_next) {
      stream->sent_next->sent_link = &stream->sent_next;
    }
    s->sent = stream;
  }
}

static void on_stream_closed(void *user, wt_stream *wt) {
  script *s = user;
  script_stream *stream = wt_stream_user(wt);

  if (!stream) {
    return;
  }
  stream->wt = NULL;
  wt_stream_set_user(wt, NULL);
  /* If that is all that was written, all has arrived. */
  if ((stream->sent &&
       tell(s, SCRIPT_SENT, 0, &stream->base, stream->sent) != 0) ||
      tell(s, SCRIPT_STREAM_CLOSED, 0, &stream->base, 0) != 0) {
    script_fail(script_conn_of(stream->session));
  }
  forget_sent(stream);
}

static int on_streams_available(void *user, wt_session *wt, int bidi) {
  (void)user;
  return script_open_wanted(wt_session_user(wt), bidi);
}

/* ---- Sessions ---- */

static void stop_waiting(script_session *session) {
  script *s = session->script;

  if (!session->link) {
    return;
  }
  *session->link = session->next;
  if (session->next) {
    session->next->link = session->link;
  } else {
    s->pending_tail = session->link;
  }
  session->link = NULL;
  --s->npending;
}

static void stop_sending_datagrams(script_session *session) {
  if (session->sending_link) {
    *session->sending_link = session->sending_next;
    if (session->sending_next) {
      session->sending_next->sending_link = session->sending_link;
    }
    session->sending_link = NULL;
  }
}

void script_free_session(script_session *session) {
  script *s = session->script;

  while (session->streams) {
    script_free_stream(session->streams);
  }
  take_handle(s, &session->base);
  s->mem.free(session, s->mem.user_data);
}

static int add_text(script *s, const script_session *session,
                    const char *text) {
  return script_batch_extend(&s->batch, SCRIPT_REQUEST, session->base.handle,
                             (const uint8_t *)text, strlen(text) + 1, 0);
}

/* QUIC_ERR_NOMEM: nothing is told. */
static int tell_request(script *s, const script_session *session) {
  size_t len = s->batch.len, last = s->batch.last, i = 0;
  char peer[UDP_ADDRESS_TEXT_MAX];
  const char *name, *value;
  udp_address remote;
  int rv;

  wt_session_remote(session->wt, &remote);
  rv = tell(s, SCRIPT_REQUEST, 0, &session->base,
            (uint32_t)wt_session_number(session->wt));
  rv = rv || add_text(s, session, wt_session_path(session->wt));
  rv = rv || add_text(s, session, wt_session_authority(session->wt));
  rv = rv || add_text(s, session, wt_session_origin(session->wt));
  rv = rv || add_text(s, session, udp_address_text(peer, &remote));
  rv = rv || add_text(s, session, wt_session_available_protocols(session->wt));
  while (!rv && (name = wt_session_field(session->wt, i++, &value)) != NULL) {
    rv = add_text(s, session, name) || add_text(s, session, value);
  }
  if (rv) {
    s->batch.len = len;
    s->batch.last = last;
    return QUIC_ERR_NOMEM;
  }
  return 0;
}

static int on_request(void *user, wt_session *wt) {
  script *s = user;
  script_session *session;

  if (s->npending == SCRIPT_PENDING_MAX) {
    goto fail;
  }
  session = s->mem.calloc(1, sizeof(*session), s->mem.user_data);
  if (!session) {
    goto fail;
  }
  session->script = s;
  session->wt = wt;
  if (give_handle(s, &session->base) != 0) {
    goto fail_session;
  }
  if (tell_request(s, session) != 0) {
    goto fail_handle;
  }
  wt_session_set_user(wt, session);
  session->deadline = quic_conn_now(wt_session_conn(wt)) + SCRIPT_PENDING_TIME;
  session->link = s->pending_tail;
  *s->pending_tail = session;
  s->pending_tail = &session->next;
  ++s->npending;
  return 0;

fail_handle:
  take_handle(s, &session->base);
fail_session:
  s->mem.free(session, s->mem.user_data);
fail:
  ++s->counters.requests_refused;
  return wt_session_reject(wt, 503);
}

static int on_session(void *user, wt_session *wt) {
  script *s = user;
  script_session *session = wt_session_user(wt);
  const char *protocol = wt_session_protocol(wt);
  script_record record = {0};

  stop_waiting(session);
  record.type = SCRIPT_OPENED;
  record.handle = session->base.handle;
  record.value = (uint32_t)wt_session_datagram_max(wt);
  record.data = (const uint8_t *)protocol;
  record.len = strlen(protocol);
  return script_batch_add(&s->batch, &record) == 0 ? 0 : QUIC_ERR_NOMEM;
}

static void on_session_closed(void *user, wt_session *wt) {
  script *s = user;
  script_session *session = wt_session_user(wt);
  script_record record = {0};
  script_stream *stream;

  if (!session) {
    return;
  }
  stop_waiting(session);
  stop_sending_datagrams(session);
  for (stream = session->streams; stream; stream = stream->next) {
    let_go(stream);
    forget_sent(stream);
  }
  record.type = SCRIPT_CLOSED;
  record.flags =
      (uint8_t)wt_session_end(wt, &record.value, &record.data, &record.len);
  record.handle = session->base.handle;
  session->wt = NULL;
  wt_session_set_user(wt, NULL);
  if (script_batch_add(&s->batch, &record) != 0) {
    session->untold_next = s->untold;
    s->untold = session;
  }
}

static void on_datagram(void *user, wt_session *wt, const uint8_t *data,
                        size_t len) {
  script *s = user;
  script_session *session = wt_session_user(wt);
  script_record record = {0};

  if (session->batch != s->nbatches) {
    session->batch = s->nbatches;
    session->datagrams = 0;
  }
  record.type = SCRIPT_DATAGRAM_CAME;
  record.handle = session->base.handle;
  record.data = data;
  record.len = len;
  if (session->datagrams == SCRIPT_DATAGRAMS_MAX ||
      s->datagram_octets + len > SCRIPT_DATAGRAM_OCTETS_MAX ||
      script_batch_add(&s->batch, &record) != 0) {
    ++s->counters.datagrams_dropped;
    return;
  }
  ++session->datagrams;
  s->datagram_octets += len;
}

static void on_draining(void *user, wt_session *wt) {
  script_session *session = wt_session_user(wt);

  if (tell(user, SCRIPT_DRAINING, 0, &session->base, 0) != 0) {
    script_fail(script_conn_of(session));
  }
}

/* ---- The host ---- */

/* Whether there is anything about what has left that cannot wait. */
static int is_sent_due(const script *s) {
  const script_stream *stream;
  const script_session *session;

  for (stream = s->sent; stream; stream = stream->sent_next) {
    if (stream->sent >= SCRIPT_SENT_MIN ||
        quic_stream_pending(wt_stream_quic(stream->wt)) == 0) {
      return 1;
    }
  }
  for (session = s->sending; session; session = session->sending_next) {
    if (session->outstanding >=
        wt_session_datagrams_pending(session->wt) + SCRIPT_DATAGRAMS_SENT_MIN) {
      return 1;
    }
  }
  return 0;
}

size_t script_finish(script *s, const uint8_t **pdata) {
  script_session *session, *next;

  while (s->untold) {
    session = s->untold;
    if (tell(s, SCRIPT_CLOSED, WT_CLOSED_BY_CONNECTION, &session->base, 0) !=
        0) {
      break;
    }
    s->untold = session->untold_next;
  }
  if (s->batch.len == 0 && !is_sent_due(s)) {
    return 0;
  }
  while (s->sent &&
         tell(s, SCRIPT_SENT, 0, &s->sent->base, s->sent->sent) == 0) {
    forget_sent(s->sent);
  }
  for (session = s->sending; session; session = next) {
    size_t waiting = wt_session_datagrams_pending(session->wt);
    uint32_t n = session->outstanding > waiting
                     ? session->outstanding - (uint32_t)waiting
                     : 0;

    next = session->sending_next;
    if (n && tell(s, SCRIPT_DATAGRAMS_SENT, 0, &session->base, n) == 0) {
      session->outstanding -= n;
      if (session->outstanding == 0) {
        stop_sending_datagrams(session);
      }
    }
  }
  *pdata = s->batch.data;
  return s->batch.len;
}

void script_clear(script *s) {
  script_batch_clear(&s->batch);
  s->datagram_octets = 0;
  ++s->nbatches;
}

uint64_t script_deadline(const script *s) {
  return s->pending ? s->pending->deadline : UINT64_MAX;
}

void script_expire(script *s, uint64_t now) {
  while (s->pending && now >= s->pending->deadline) {
    quic_conn *conn = script_conn_of(s->pending);

    ++s->counters.requests_refused;
    if (wt_session_reject(s->pending->wt, 503) != 0) {
      stop_waiting(s->pending);
      script_fail(conn);
    }
  }
}

int script_new(script **pscript, const char *const *paths, size_t npaths,
               const ngtcp2_mem *mem) {
  static const ngtcp2_mem plain = {NULL, malloc_of, free_of, calloc_of,
                                   realloc_of};
  script *s;
  size_t i;

  *pscript = NULL;
  if (npaths == 0 || npaths > SCRIPT_PATHS_MAX) {
    return QUIC_ERR_STATE;
  }
  for (i = 0; i < npaths; ++i) {
    if (paths[i][0] != '/' || strlen(paths[i]) > SCRIPT_PATH_LEN_MAX) {
      return QUIC_ERR_STATE;
    }
  }
  mem = mem ? mem : &plain;
  s = mem->calloc(1, sizeof(*s), mem->user_data);
  if (!s) {
    return QUIC_ERR_NOMEM;
  }
  s->mem = *mem;
  s->pending_tail = &s->pending;
  s->nbatches = 1;
  script_batch_init(&s->batch, &s->mem);
  for (i = 0; i < npaths; ++i) {
    app *a = &s->apps[i];

    memcpy(s->paths[i], paths[i], strlen(paths[i]) + 1);
    a->path = s->paths[i];
    a->user = s;
    a->on_request = on_request;
    a->on_session = on_session;
    a->on_session_closed = on_session_closed;
    a->on_stream_data = on_stream_data;
    a->on_stream_reset = on_stream_reset;
    a->on_stop_sending = on_stop_sending;
    a->on_stream_sent = on_stream_sent;
    a->on_stream_closed = on_stream_closed;
    a->on_datagram = on_datagram;
    a->on_draining = on_draining;
    a->on_streams_available = on_streams_available;
    s->papps[i] = a;
  }
  s->npaths = npaths;
  *pscript = s;
  return 0;
}

void script_free(script *s) {
  ngtcp2_mem mem;
  size_t i;

  if (!s) {
    return;
  }
  mem = s->mem;
  for (i = 0; i < s->nobjects; ++i) {
    if (s->objects[i] && !s->objects[i]->is_stream) {
      script_free_session((script_session *)s->objects[i]);
    }
  }
  script_batch_free(&s->batch);
  mem.free(s->objects, mem.user_data);
  mem.free(s->vacant, mem.user_data);
  mem.free(s, mem.user_data);
}

size_t script_apps(const script *s, const app *const **papps) {
  *papps = s->papps;
  return s->npaths;
}

const script_counters *script_get_counters(const script *s) {
  return &s->counters;
}

size_t script_unread(const script *s) { return s->unread; }
