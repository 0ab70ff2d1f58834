/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: CONNECT, capsules, datagrams, closing.  Streams: stream.c. */
#include "server/webtransport/session.h"

#include "server/apps/app.h"
#include "server/http3/h3.h"
#include "server/varint.h"
#include "server/webtransport/error_code.h"
#include "server/webtransport/subprotocol.h"
#include "server/webtransport/wt_internal.h"

#include <string.h>

/* H3_DATAGRAM_ERROR (RFC 9297 section 5.2), which nghttp3 has no name for. */
#define H3_DATAGRAM_ERROR 0x33

/* The longest WT-Protocol that is sent. */
#define PROTOCOL_MAX 256

/* So that a session's number is its own in the whole process. */
static uint64_t last_number;

int wt_conn_new(wt_conn **pwt, quic_conn *conn, const wt_service *service) {
  const ngtcp2_mem *mem = quic_conn_mem(conn);
  wt_conn *wt = mem->calloc(1, sizeof(*wt), mem->user_data);

  *pwt = wt;
  if (!wt) {
    return QUIC_ERR_NOMEM;
  }
  wt->conn = conn;
  wt->service = service;
  return 0;
}

static void drop_early_datagrams(wt_conn *wt, uint64_t session_id) {
  const ngtcp2_mem *mem = quic_conn_mem(wt->conn);
  early_datagram **link = &wt->early_datagrams;

  while (*link) {
    early_datagram *datagram = *link;

    if (session_id == EVERY_SESSION || datagram->session_id == session_id) {
      *link = datagram->next;
      --wt->nearly_datagrams;
      mem->free(datagram, mem->user_data);
    } else {
      link = &datagram->next;
    }
  }
}

wt_session *wt_conn_find(wt_conn *wt, uint64_t session_id) {
  wt_session *session;

  for (session = wt->sessions; session; session = session->next) {
    if (session->id == session_id && !session->pending) {
      return session;
    }
  }
  return NULL;
}

/* Tells the application and everybody else, and frees |session|. */
static void end_session(wt_session *session, wt_closed_by by, uint32_t code,
                        const uint8_t *reason, size_t len) {
  wt_conn *wt = session->wt;
  const ngtcp2_mem *mem = quic_conn_mem(wt->conn);
  wt_session **link = &wt->sessions;

  while (*link != session) {
    link = &(*link)->next;
  }
  *link = session->next;
  if (--wt->nsessions == 0) {
    quic_conn_let_idle(wt->conn);
  }
  session->request->session = NULL;
  session->end = by;
  session->end_code = code;
  session->end_reason = reason;
  session->end_reason_len = len;

  if (session->pending) {
    /* Nobody but the application knows of it. */
    wt_conn_refuse(wt, session->id);
  } else if (wt->service->on_session_closed) {
    wt->service->on_session_closed(wt->service->user, session, by, code, reason,
                                   len);
  }
  wt_session_abandon_streams(session);
  if (session->app->on_session_closed) {
    session->app->on_session_closed(session->app->user, session);
  }
  drop_early_datagrams(wt, session->id);
  mem->free(session->chosen, mem->user_data);
  mem->free(session, mem->user_data);
}

void wt_conn_free(wt_conn *wt) {
  const ngtcp2_mem *mem = quic_conn_mem(wt->conn);

  while (wt->sessions) {
    end_session(wt->sessions, WT_CLOSED_BY_CONNECTION, 0, NULL, 0);
  }
  drop_early_datagrams(wt, EVERY_SESSION);
  wt_conn_drop_early_streams(wt);
  mem->free(wt, mem->user_data);
}

static int put_drain(h3_request *request) {
  uint8_t capsule[WT_CAPSULE_DRAIN_LEN];
  int n = wt_capsule_put_drain(capsule, sizeof(capsule));

  return h3_request_write(request, capsule, (size_t)n, 0);
}

int wt_session_drain(wt_session *session) {
  if (session->draining || session->pending) {
    return 0;
  }
  session->draining = 1;
  return put_drain(session->request);
}

int wt_conn_drain(wt_conn *wt) {
  wt_session *session;
  int rv = 0;

  wt->draining = 1;
  for (session = wt->sessions; session && rv == 0; session = session->next) {
    rv = wt_session_drain(session);
  }
  return rv;
}

size_t wt_conn_sessions(const wt_conn *wt) { return wt->nsessions; }

size_t wt_conn_close_sessions(wt_conn *wt, uint32_t code, const char *reason) {
  size_t n = 0;

  /* One that ends may take others with it. */
  while (wt->sessions) {
    if (wt->sessions->pending) {
      if (wt_session_reject(wt->sessions, 503) != 0) {
        break;
      }
    } else if (wt_session_close(wt->sessions, code, reason) == 0) {
      ++n;
    } else {
      break;
    }
  }
  return n;
}

static const app *find_app(const wt_service *service, const char *path) {
  size_t i, n, most = 0, len = strcspn(path, "?");
  const app *best = NULL;

  for (i = 0; i < service->napps; ++i) {
    const app *a = service->apps[i];

    n = strlen(a->path);
    if (n == len && memcmp(a->path, path, len) == 0) {
      return a;
    }
    if (n > most && n <= len + 1 && a->path[n - 1] == '*' &&
        memcmp(a->path, path, n - 1) == 0) {
      most = n;
      best = a;
    }
  }
  return best;
}

/* What came before the session, in the order it came. */
static int deliver_early(wt_session *session) {
  wt_conn *wt = session->wt;
  const ngtcp2_mem *mem = quic_conn_mem(wt->conn);
  early_datagram **link = &wt->early_datagrams;
  uint64_t id = session->id;
  int rv;

  rv = wt_session_adopt_early_streams(session);
  if (rv != 0) {
    return rv;
  }
  /* The application may end the session while it listens, and that empties
     the list: so each datagram is taken out first. */
  while (*link && (session = wt_conn_find(wt, id)) != NULL) {
    early_datagram *datagram = *link;

    if (datagram->session_id != id) {
      link = &datagram->next;
      continue;
    }
    *link = datagram->next;
    --wt->nearly_datagrams;
    if (session->app->on_datagram) {
      session->app->on_datagram(session->app->user, session, datagram->data,
                                datagram->len);
    }
    mem->free(datagram, mem->user_data);
  }
  return 0;
}

void wt_conn_refuse(wt_conn *wt, uint64_t session_id) {
  wt_conn_refuse_early_streams(wt, session_id);
  drop_early_datagrams(wt, session_id);
}

static int is_origin_allowed(const wt_service *service, const char *origin) {
  const char *const *allowed = service->origins;

  if (!allowed) {
    return 1;
  }
  while (*allowed && (!origin || strcmp(*allowed, origin) != 0)) {
    ++allowed;
  }
  return *allowed != NULL;
}

/* 200 if it may become a session. */
static int status_for(const wt_conn *wt, const h3_request *request,
                      const app *a) {
  if (!a) {
    return 404;
  }
  if (!is_origin_allowed(wt->service, request->origin)) {
    return 403;
  }
  return wt->nsessions < wt->service->sessions_max ? 200 : 429;
}

static int answer_ok(h3_request *request, const char *protocol) {
  /* The first is harmless to later drafts, and wanted by the one that browsers
     speak. */
  h3_field fields[] = {{"sec-webtransport-http3-draft", "draft02"},
                       {"wt-protocol", NULL}};
  char text[PROTOCOL_MAX];

  fields[1].value = text;
  if (!protocol) {
    return h3_respond(request, 200, fields, 1, 1);
  }
  if (wt_subprotocol_write(text, sizeof(text), protocol) < 0) {
    /* The application has one that cannot be told. */
    return QUIC_ERR_STATE;
  }
  return h3_respond(request, 200, fields, 2, 1);
}

/* The answer has gone out: tells everybody, and gives the application what came
   before. */
static int begin_session(wt_session *session) {
  wt_conn *wt = session->wt;
  const app *a = session->app;
  uint64_t id = session->id;
  int rv;

  session->draining = wt->draining;
  quic_conn_keep_alive(wt->conn);
  if (wt->service->on_session_opened) {
    wt->service->on_session_opened(wt->service->user, session);
  }
  if (a->on_session) {
    rv = a->on_session(a->user, session);
    if (rv != 0) {
      return rv;
    }
  }
  session = wt_conn_find(wt, id);
  return session ? deliver_early(session) : 0;
}

int wt_session_accept(wt_session *session, const char *protocol) {
  wt_conn *wt = session->wt;
  const ngtcp2_mem *mem = quic_conn_mem(wt->conn);
  h3_request *request = session->request;
  char text[PROTOCOL_MAX];
  int rv;

  if (!session->pending ||
      (protocol && wt_subprotocol_write(text, sizeof(text), protocol) < 0)) {
    return QUIC_ERR_STATE;
  }
  if (protocol) {
    session->chosen = mem->malloc(strlen(protocol) + 1, mem->user_data);
    if (!session->chosen) {
      return QUIC_ERR_NOMEM;
    }
    memcpy(session->chosen, protocol, strlen(protocol) + 1);
    session->protocol = session->chosen;
  }
  rv = answer_ok(request, protocol);
  if (rv == 0 && wt->draining) {
    rv = put_drain(request);
  }
  if (rv != 0) {
    return rv;
  }
  session->pending = 0;
  rv = begin_session(session);
  return rv == 0 ? h3_request_resume(request) : rv;
}

int wt_session_reject(wt_session *session, int status) {
  static const h3_field empty = {"content-length", "0"};
  h3_request *request = session->request;
  int rv;

  if (!session->pending || status < 400 || status > 599) {
    return QUIC_ERR_STATE;
  }
  rv = h3_respond(request, status, &empty, 1, 0);
  if (rv != 0) {
    return rv;
  }
  end_session(session, WT_CLOSED_BY_SERVER, 0, NULL, 0);
  return h3_request_resume(request);
}

int wt_conn_connect(wt_conn *wt, h3_request *request) {
  const ngtcp2_mem *mem = quic_conn_mem(wt->conn);
  const app *a = request->path ? find_app(wt->service, request->path) : NULL;
  uint64_t id = (uint64_t)request->stream_id;
  int status = status_for(wt, request, a);
  const char *protocol;
  wt_session *session;
  int rv;

  if (status != 200) {
    static const h3_field empty = {"content-length", "0"};

    wt_conn_refuse(wt, id);
    return h3_respond(request, status, &empty, 1, 0);
  }
  session = mem->calloc(1, sizeof(*session), mem->user_data);
  if (!session) {
    return QUIC_ERR_NOMEM;
  }
  protocol = NULL;
  if (!a->on_request) {
    h3_request_forget_fields(request);
    protocol =
        wt_subprotocol_choose(request->available_protocols, a->protocols);
    rv = answer_ok(request, protocol);
    if (rv == 0 && wt->draining) {
      rv = put_drain(request);
    }
    if (rv != 0) {
      mem->free(session, mem->user_data);
      return rv;
    }
  }
  session->protocol = protocol;
  session->wt = wt;
  session->request = request;
  session->id = id;
  session->number = ++last_number;
  session->app = a;
  wt_capsule_parser_init(&session->capsules);
  session->next = wt->sessions;
  wt->sessions = session;
  ++wt->nsessions;
  request->session = session;
  if (!a->on_request) {
    return begin_session(session);
  }
  session->pending = 1;
  request->waiting = 1;
  return a->on_request(a->user, session);
}

/* ---- The CONNECT stream ---- */

static int malformed(wt_session *session) {
  h3_request *request = session->request;

  h3_request_abort(request, NGHTTP3_H3_MESSAGE_ERROR);
  end_session(session, WT_CLOSED_BY_CONNECTION, 0, NULL, 0);
  return 0;
}

/* The session ends here; FIN is all that may follow, and |rest| octets do. */
static int on_close_capsule(wt_session *session, const wt_capsule *capsule,
                            size_t rest) {
  h3_request *request = session->request;
  int rv;

  request->session_closed = 1;
  if (rest) {
    return malformed(session);
  }
  rv = h3_request_write(request, NULL, 0, 1);
  if (rv != 0) {
    return rv;
  }
  end_session(session, WT_CLOSED_BY_CLIENT, capsule->code, capsule->reason,
              capsule->reason_len);
  return 0;
}

int wt_session_on_data(wt_session *session, const uint8_t *data, size_t len) {
  while (len) {
    wt_capsule capsule;
    size_t consumed;
    int rv = wt_capsule_parser_feed(&session->capsules, data, len, &consumed,
                                    &capsule);

    if (rv < 0) {
      return malformed(session);
    }
    data += consumed;
    len -= consumed;
    if (rv == 1 && capsule.type == WT_CAPSULE_CLOSE) {
      return on_close_capsule(session, &capsule, len);
    }
    if (rv == 1 && capsule.type == WT_CAPSULE_DRAIN &&
        session->app->on_draining) {
      uint64_t id = session->id;
      wt_conn *wt = session->wt;

      session->app->on_draining(session->app->user, session);
      /* The application may have ended it. */
      if (wt_conn_find(wt, id) != session) {
        return 0;
      }
    }
  }
  return 0;
}

int wt_session_on_fin(wt_session *session) {
  int rv;

  if (wt_capsule_parser_finish(&session->capsules) != 0) {
    return malformed(session);
  }
  rv = h3_request_write(session->request, NULL, 0, 1);
  if (rv != 0) {
    return rv;
  }
  end_session(session, WT_CLOSED_BY_CLIENT, 0, NULL, 0);
  return 0;
}

void wt_session_on_abort(wt_session *session) {
  h3_request_abort(session->request, NGHTTP3_H3_NO_ERROR);
  end_session(session, WT_CLOSED_BY_CONNECTION, 0, NULL, 0);
}

int wt_session_close(wt_session *session, uint32_t code, const char *reason) {
  uint8_t capsule[WT_CAPSULE_CLOSE_MAX];
  size_t len = strlen(reason);
  int n = wt_capsule_put_close(capsule, sizeof(capsule), code,
                               (const uint8_t *)reason, len);
  int rv;

  if (n < 0 || session->pending) {
    return QUIC_ERR_STATE;
  }
  rv = h3_request_write(session->request, capsule, (size_t)n, 1);
  if (rv != 0) {
    return rv;
  }
  end_session(session, WT_CLOSED_BY_SERVER, code, (const uint8_t *)reason, len);
  return 0;
}

/* ---- Datagrams ---- */

static int keep_early(wt_conn *wt, uint64_t session_id, const uint8_t *data,
                      size_t len) {
  const ngtcp2_mem *mem = quic_conn_mem(wt->conn);
  early_datagram **link = &wt->early_datagrams;
  early_datagram *datagram;

  if (wt->nearly_datagrams == WT_EARLY_DATAGRAMS_MAX ||
      h3_is_over(wt->conn, session_id)) {
    return 0;
  }
  datagram = mem->malloc(sizeof(*datagram) + len, mem->user_data);
  if (!datagram) {
    return 0;
  }
  datagram->next = NULL;
  datagram->session_id = session_id;
  datagram->len = len;
  if (len) {
    memcpy(datagram->data, data, len);
  }
  while (*link) {
    link = &(*link)->next;
  }
  *link = datagram;
  ++wt->nearly_datagrams;
  return 0;
}

int wt_conn_on_datagram(wt_conn *wt, const uint8_t *data, size_t len) {
  wt_session *session;
  uint64_t quarter;
  size_t n = varint_get(&quarter, data, len);

  if (n == 0 || quarter > VARINT_MAX / 4) {
    return quic_conn_fail(wt->conn, H3_DATAGRAM_ERROR, "no quarter stream ID");
  }
  session = wt_conn_find(wt, quarter * 4);
  if (!session) {
    return keep_early(wt, quarter * 4, data + n, len - n);
  }
  if (session->app->on_datagram) {
    session->app->on_datagram(session->app->user, session, data + n, len - n);
  }
  return 0;
}

int wt_session_send_datagram(wt_session *session, const uint8_t *data,
                             size_t len) {
  uint8_t prefix[VARINT_LEN_MAX];
  size_t n = varint_put(prefix, sizeof(prefix), session->id / 4);

  if (session->pending) {
    return QUIC_ERR_STATE;
  }
  return quic_conn_send_datagram(session->wt->conn, prefix, n, data, len);
}

size_t wt_session_datagram_max(wt_session *session) {
  size_t max = quic_conn_datagram_max(session->wt->conn);
  size_t prefix = varint_len(session->id / 4);

  return max > prefix ? max - prefix : 0;
}

size_t wt_session_datagrams_pending(const wt_session *session) {
  return quic_conn_datagrams_pending(session->wt->conn);
}

/* ---- What applications ask ---- */

uint64_t wt_session_number(const wt_session *session) {
  return session->number;
}

const char *wt_session_path(const wt_session *session) {
  return session->request->path;
}

const char *wt_session_authority(const wt_session *session) {
  return session->request->authority ? session->request->authority : "";
}

const char *wt_session_origin(const wt_session *session) {
  return session->request->origin ? session->request->origin : "";
}

const char *wt_session_protocol(const wt_session *session) {
  return session->protocol ? session->protocol : "";
}

const char *wt_session_available_protocols(const wt_session *session) {
  return session->request->available_protocols
             ? session->request->available_protocols
             : "";
}

const char *wt_session_field(const wt_session *session, size_t i,
                             const char **pvalue) {
  const h3_request *request = session->request;
  const char *at = request->fields, *end = at + request->fields_len;

  while (at && at < end) {
    const char *value = at + strlen(at) + 1;

    if (i-- == 0) {
      *pvalue = value;
      return at;
    }
    at = value + strlen(value) + 1;
  }
  return NULL;
}

void wt_session_remote(const wt_session *session, udp_address *remote) {
  quic_conn_remote(session->wt->conn, remote);
}

wt_closed_by wt_session_end(const wt_session *session, uint32_t *pcode,
                            const uint8_t **preason, size_t *plen) {
  *pcode = session->end_code;
  *preason = session->end_reason;
  *plen = session->end_reason_len;
  return session->end;
}

quic_conn *wt_session_conn(wt_session *session) { return session->wt->conn; }

void wt_session_set_user(wt_session *session, void *user) {
  session->user = user;
}

void *wt_session_user(const wt_session *session) { return session->user; }

int wt_conn_on_streams_available(wt_conn *wt, int bidi) {
  wt_session *session, *next;

  for (session = wt->sessions; session; session = next) {
    int rv;

    next = session->next;
    if (session->app->on_streams_available && !session->pending) {
      rv =
          session->app->on_streams_available(session->app->user, session, bidi);
      if (rv != 0) {
        return rv;
      }
    }
  }
  return 0;
}
