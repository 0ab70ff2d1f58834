/* SPDX-License-Identifier: Apache-2.0 */
#include "server/apps/script_internal.h"

#include "server/webtransport/capsule.h"

#include <string.h>

static object *find(const script *s, uint32_t handle) {
  return handle && handle <= s->nobjects ? s->objects[handle - 1] : NULL;
}

/* Those that are not over; NULL if there is none. */
static script_session *find_session(const script *s, uint32_t handle) {
  object *o = find(s, handle);
  script_session *session = o && !o->is_stream ? (script_session *)o : NULL;

  return session && session->wt ? session : NULL;
}

static script_stream *find_stream(const script *s, uint32_t handle) {
  object *o = find(s, handle);

  return o && o->is_stream ? (script_stream *)o : NULL;
}

/* A copy with a NUL behind it, or NULL: for want of memory, or |len| is more
   than |max|, or there is a NUL in it. */
static char *text_of(script *s, const script_record *record, size_t max) {
  char *text = NULL;

  if (record->len <= max && !memchr(record->data, 0, record->len)) {
    text = s->mem.malloc(record->len + 1, s->mem.user_data);
  }
  if (text) {
    memcpy(text, record->data, record->len);
    text[record->len] = '\0';
  }
  return text;
}

static int accept_session(script *s, script_session *session,
                          const script_record *record) {
  quic_conn *conn = script_conn_of(session);
  char *protocol = text_of(s, record, 250);
  int rv;

  if (!session->link) {
    s->mem.free(protocol, s->mem.user_data);
    return -1;
  }
  rv = protocol ? wt_session_accept(session->wt, *protocol ? protocol : NULL)
                : QUIC_ERR_STATE;
  s->mem.free(protocol, s->mem.user_data);
  if (rv == QUIC_ERR_STATE) {
    /* It was never told that this would be its protocol. */
    rv = wt_session_reject(session->wt, 500);
  }
  if (rv != 0) {
    script_fail(conn);
  }
  return 0;
}

static int reject_session(script_session *session,
                          const script_record *record) {
  quic_conn *conn = script_conn_of(session);
  int rv;

  if (!session->link) {
    return -1;
  }
  rv = wt_session_reject(session->wt,
                         record->value > 599 ? 0 : (int)record->value);
  if (rv == QUIC_ERR_STATE) {
    return -1;
  }
  if (rv != 0) {
    script_fail(conn);
  }
  return 0;
}

static int close_session(script *s, script_session *session,
                         const script_record *record) {
  quic_conn *conn = script_conn_of(session);
  char *reason;
  int rv;

  if (session->link) {
    return -1;
  }
  reason = text_of(s, record, WT_CLOSE_REASON_MAX);
  rv = wt_session_close(session->wt, record->value, reason ? reason : "");
  if (rv == QUIC_ERR_STATE) {
    rv = wt_session_close(session->wt, record->value, "");
  }
  s->mem.free(reason, s->mem.user_data);
  if (rv != 0) {
    script_fail(conn);
  }
  return 0;
}

static int send_datagram(script *s, script_session *session,
                         const script_record *record) {
  if (session->link) {
    return -1;
  }
  /* One that does not fit is lost, as any may be. */
  (void)wt_session_send_datagram(session->wt, record->data, record->len);
  ++session->outstanding;
  if (!session->sending_link) {
    session->sending_next = s->sending;
    session->sending_link = &s->sending;
    if (session->sending_next) {
      session->sending_next->sending_link = &session->sending_next;
    }
    s->sending = session;
  }
  return 0;
}

static int open_stream(script_session *session, const script_record *record) {
  int bidi = (record->flags & SCRIPT_BIDI) != 0;

  if (session->link || session->wanted[bidi] == SCRIPT_WANTED_MAX) {
    return -1;
  }
  ++session->wanted[bidi];
  if (script_open_wanted(session, bidi) != 0) {
    script_fail(script_conn_of(session));
  }
  return 0;
}

static int of_session(script *s, const script_record *record) {
  script_session *session = find_session(s, record->handle);

  if (!session) {
    return -1;
  }
  switch (record->type) {
  case SCRIPT_ACCEPT:
    return accept_session(s, session, record);
  case SCRIPT_REJECT:
    return reject_session(session, record);
  case SCRIPT_CLOSE:
    return close_session(s, session, record);
  case SCRIPT_DATAGRAM:
    return send_datagram(s, session, record);
  case SCRIPT_OPEN:
    return open_stream(session, record);
  default:
    if (wt_session_drain(session->wt) != 0) {
      script_fail(script_conn_of(session));
    }
    return 0;
  }
}

static int write_stream(script_stream *stream, const script_record *record) {
  quic_stream *quic = wt_stream_quic(stream->wt);
  int rv;

  if (quic_stream_pending(quic) + record->len > SCRIPT_BACKLOG_MAX) {
    wt_stream_reset(stream->wt, 0);
    return -1;
  }
  rv = wt_stream_write(stream->wt, record->data, record->len,
                       (record->flags & SCRIPT_FIN) != 0);
  if (rv == QUIC_ERR_NOMEM) {
    script_fail(script_conn_of(stream->session));
  }
  return rv == QUIC_ERR_STATE ? -1 : 0;
}

static int of_stream(script *s, const script_record *record) {
  script_stream *stream = find_stream(s, record->handle);

  if (!stream) {
    return -1;
  }
  if (record->type == SCRIPT_CONSUME) {
    script_consume(stream, record->value);
    return 0;
  }
  if (!stream->wt) {
    return -1;
  }
  switch (record->type) {
  case SCRIPT_WRITE:
    return write_stream(stream, record);
  case SCRIPT_RESET:
    wt_stream_reset(stream->wt, record->value);
    return 0;
  default:
    wt_stream_stop_sending(stream->wt, record->value);
    stream->stopped = 1;
    script_consume(stream, stream->unread);
    return 0;
  }
}

static int is_untold(const script *s, const script_session *session) {
  const script_session *other = s->untold;

  while (other && other != session) {
    other = other->untold_next;
  }
  return other != NULL;
}

static int release_handle(script *s, const script_record *record) {
  object *o = find(s, record->handle);

  if (!o) {
    return -1;
  }
  if (o->is_stream) {
    if (((script_stream *)o)->wt) {
      return -1;
    }
    script_free_stream((script_stream *)o);
    return 0;
  }
  if (((script_session *)o)->wt || is_untold(s, (script_session *)o)) {
    return -1;
  }
  script_free_session((script_session *)o);
  return 0;
}

int script_feed(script *s, const uint8_t *data, size_t len) {
  script_record record;
  int rv;

  while ((rv = script_record_next(&record, &data, &len)) == 1) {
    int ignored;

    switch (record.type) {
    case SCRIPT_ACCEPT:
    case SCRIPT_REJECT:
    case SCRIPT_CLOSE:
    case SCRIPT_DATAGRAM:
    case SCRIPT_OPEN:
    case SCRIPT_DRAIN:
      ignored = of_session(s, &record);
      break;
    case SCRIPT_WRITE:
    case SCRIPT_RESET:
    case SCRIPT_STOP:
    case SCRIPT_CONSUME:
      ignored = of_stream(s, &record);
      break;
    case SCRIPT_RELEASE:
      ignored = release_handle(s, &record);
      break;
    default:
      ignored = -1;
    }
    s->counters.records_ignored += ignored != 0;
  }
  return rv;
}
