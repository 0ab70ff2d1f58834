/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: the callbacks of nghttp3.  What they are answered: response.c. */
#include "server/http3/h3_internal.h"

#include "certmgr/random.h"
#include "server/webtransport/wt_conn.h"

#include <string.h>

#define QPACK_TABLE 4096
#define QPACK_BLOCKED_STREAMS 100
/* What HTTP adds to each field for the sake of the limit (RFC 9114 section
   4.2.2). */
#define FIELD_OVERHEAD 32
#define AVAILABLE_PROTOCOLS "wt-available-protocols"

static void *allocate(h3_conn *h3, size_t len) {
  const ngtcp2_mem *mem = quic_conn_mem(h3->conn);

  return mem->calloc(1, len, mem->user_data);
}

static void release(h3_conn *h3, void *ptr) {
  const ngtcp2_mem *mem = quic_conn_mem(h3->conn);

  mem->free(ptr, mem->user_data);
}

quic_stream *h3_find_stream(h3_conn *h3, int64_t stream_id) {
  return ngtcp2_conn_get_stream_user_data2(quic_conn_ngtcp2(h3->conn),
                                           stream_id);
}

static int result(int rv) { return rv == 0 ? 0 : NGHTTP3_ERR_CALLBACK_FAILURE; }

quic_conn *h3_request_conn(h3_request *request) { return request->h3->conn; }

void h3_request_free(h3_request *request) {
  h3_conn *h3 = request->h3;

  *request->link = request->next;
  if (request->next) {
    request->next->link = request->link;
  }
  quic_conn_consume(h3->conn, NULL, request->early.pending);
  send_queue_clear(&request->early, quic_conn_mem(h3->conn));
  send_queue_clear(&request->body, quic_conn_mem(h3->conn));
  release(h3, request->method);
  release(h3, request->scheme);
  release(h3, request->authority);
  release(h3, request->path);
  release(h3, request->protocol);
  release(h3, request->origin);
  release(h3, request->available_protocols);
  release(h3, request->fields);
  release(h3, request);
}

void h3_request_forget_fields(h3_request *request) {
  release(request->h3, request->fields);
  request->fields = NULL;
  request->fields_len = request->fields_size = 0;
}

h3_request *h3_find_request(h3_conn *h3, int64_t stream_id) {
  h3_request *request = h3->requests;

  while (request && request->stream_id != stream_id) {
    request = request->next;
  }
  return request;
}

void h3_request_on_abort(h3_conn *h3, int64_t stream_id) {
  h3_request *request = h3_find_request(h3, stream_id);

  if (request) {
    request->waiting = 0;
    if (request->session) {
      wt_session_on_abort(request->session);
    }
  }
}

void h3_request_on_reset(h3_conn *h3, quic_stream *quic) {
  h3_request *request = h3_find_request(h3, quic->id);

  h3_request_on_abort(h3, quic->id);
  if (!request || !request->responded) {
    /* There will be no response, and our side must end. */
    quic_stream_reset(quic, NGHTTP3_H3_REQUEST_CANCELLED);
    nghttp3_conn_shutdown_stream_write(h3->nghttp3, quic->id);
  }
}

static void set_excessive(h3_request *request) {
  request->excessive = 1;
  request->h3->excessive = 1;
}

int h3_stop_excessive(h3_conn *h3) {
  h3_request *request, *next;
  int rv = 0;

  if (!h3->excessive) {
    return 0;
  }
  h3->excessive = 0;
  for (request = h3->requests; request && rv == 0; request = next) {
    next = request->next;
    if (request->excessive) {
      quic_stream *quic = h3_find_stream(h3, request->stream_id);

      request->excessive = 0;
      rv = quic ? h3_request_stop(h3, quic) : 0;
    }
  }
  return rv;
}

static int on_begin_headers(nghttp3_conn *nghttp3, int64_t stream_id,
                            void *user_data, void *stream_user_data) {
  h3_conn *h3 = user_data;
  h3_request *request = allocate(h3, sizeof(*request));
  (void)stream_user_data;

  if (!request) {
    return NGHTTP3_ERR_CALLBACK_FAILURE;
  }
  h3->request_deadline = UINT64_MAX;
  request->h3 = h3;
  request->stream_id = stream_id;
  send_queue_init(&request->body);
  send_queue_init(&request->early);
  request->next = h3->requests;
  request->link = &h3->requests;
  if (h3->requests) {
    h3->requests->link = &request->next;
  }
  h3->requests = request;
  nghttp3_conn_set_stream_user_data(nghttp3, stream_id, request);
  return 0;
}

/* Keeps a copy of |value| with a NUL behind it. */
static int keep(h3_request *request, char **pslot, nghttp3_vec value) {
  if (*pslot || memchr(value.base, '\0', value.len)) {
    request->malformed = 1;
    return 0;
  }
  *pslot = allocate(request->h3, value.len + 1);
  if (!*pslot) {
    return NGHTTP3_ERR_CALLBACK_FAILURE;
  }
  memcpy(*pslot, value.base, value.len);
  return 0;
}

/* The lines of a list make one (RFC 9110 section 5.3). */
static int keep_more(h3_request *request, char **pslot, nghttp3_vec value) {
  size_t len = *pslot ? strlen(*pslot) : 0;
  char *text;

  if (memchr(value.base, '\0', value.len)) {
    request->malformed = 1;
    return 0;
  }
  text = allocate(request->h3, len + 2 + value.len + 1);
  if (!text) {
    return NGHTTP3_ERR_CALLBACK_FAILURE;
  }
  if (len) {
    memcpy(text, *pslot, len);
    memcpy(text + len, ", ", 2);
    len += 2;
  }
  memcpy(text + len, value.base, value.len);
  release(request->h3, *pslot);
  *pslot = text;
  return 0;
}

/* Appends a field to those for the application.  The section's limit is that
   of this too. */
static int keep_field(h3_request *request, nghttp3_vec name,
                      nghttp3_vec value) {
  size_t len = name.len + 1 + value.len + 1;
  size_t size = request->fields_size ? request->fields_size : 256;
  char *fields = request->fields;

  if (memchr(value.base, '\0', value.len)) {
    request->malformed = 1;
    return 0;
  }
  while (size < request->fields_len + len) {
    size *= 2;
  }
  if (size != request->fields_size) {
    fields = allocate(request->h3, size);
    if (!fields) {
      return NGHTTP3_ERR_CALLBACK_FAILURE;
    }
    if (request->fields_len) {
      memcpy(fields, request->fields, request->fields_len);
    }
    release(request->h3, request->fields);
    request->fields = fields;
    request->fields_size = size;
  }
  fields += request->fields_len;
  memcpy(fields, name.base, name.len);
  fields[name.len] = '\0';
  memcpy(fields + name.len + 1, value.base, value.len);
  fields[len - 1] = '\0';
  request->fields_len += len;
  return 0;
}

static int is_name(nghttp3_vec name, const char *text) {
  return name.len == strlen(text) && memcmp(name.base, text, name.len) == 0;
}

static int on_header(nghttp3_conn *nghttp3, int64_t stream_id, int32_t token,
                     nghttp3_rcbuf *name, nghttp3_rcbuf *value, uint8_t flags,
                     void *user_data, void *stream_user_data) {
  h3_request *request = stream_user_data;
  nghttp3_vec n = nghttp3_rcbuf_get_buf(name);
  nghttp3_vec v = nghttp3_rcbuf_get_buf(value);
  (void)nghttp3;
  (void)stream_id;
  (void)flags;
  (void)user_data;

  request->field_section_size += n.len + v.len + FIELD_OVERHEAD;
  if (request->field_section_size > H3_FIELD_SECTION_MAX) {
    /* No reason to hear the rest of it. */
    set_excessive(request);
    return 0;
  }
  switch (token) {
  case NGHTTP3_QPACK_TOKEN__METHOD:
    return keep(request, &request->method, v);
  case NGHTTP3_QPACK_TOKEN__SCHEME:
    return keep(request, &request->scheme, v);
  case NGHTTP3_QPACK_TOKEN__AUTHORITY:
    return keep(request, &request->authority, v);
  case NGHTTP3_QPACK_TOKEN__PATH:
    return keep(request, &request->path, v);
  case NGHTTP3_QPACK_TOKEN__PROTOCOL:
    return keep(request, &request->protocol, v);
  default:
    if (n.len && n.base[0] != ':' && keep_field(request, n, v) != 0) {
      return NGHTTP3_ERR_CALLBACK_FAILURE;
    }
    if (is_name(n, "origin")) {
      return keep(request, &request->origin, v);
    }
    if (is_name(n, AVAILABLE_PROTOCOLS)) {
      return keep_more(request, &request->available_protocols, v);
    }
    return 0;
  }
}

static int on_end_headers(nghttp3_conn *nghttp3, int64_t stream_id, int fin,
                          void *user_data, void *stream_user_data) {
  h3_request *request = stream_user_data;
  (void)nghttp3;
  (void)stream_id;
  (void)fin;
  (void)user_data;

  return request->excessive ? 0 : result(h3_answer(request));
}

static int on_data(nghttp3_conn *nghttp3, int64_t stream_id,
                   const uint8_t *data, size_t len, void *user_data,
                   void *stream_user_data) {
  h3_conn *h3 = user_data;
  h3_request *request = stream_user_data;
  (void)nghttp3;

  if (request && request->waiting) {
    return result(
        send_queue_append(&request->early, data, len, quic_conn_mem(h3->conn)));
  }
  quic_conn_consume(h3->conn, h3_find_stream(h3, stream_id), len);
  if (!request) {
    return 0;
  }
  if (request->session) {
    return result(wt_session_on_data(request->session, data, len));
  }
  if (request->session_closed) {
    h3_request_abort(request, NGHTTP3_H3_MESSAGE_ERROR);
    return 0;
  }
  request->received += len;
  if (request->received > H3_BODY_MAX) {
    set_excessive(request);
  }
  return 0;
}

static int on_deferred_consume(nghttp3_conn *nghttp3, int64_t stream_id,
                               size_t consumed, void *user_data,
                               void *stream_user_data) {
  h3_conn *h3 = user_data;
  (void)nghttp3;
  (void)stream_user_data;

  quic_conn_consume(h3->conn, h3_find_stream(h3, stream_id), consumed);
  return 0;
}

static int on_end_stream(nghttp3_conn *nghttp3, int64_t stream_id,
                         void *user_data, void *stream_user_data) {
  h3_request *request = stream_user_data;
  (void)nghttp3;
  (void)stream_id;
  (void)user_data;

  if (request && request->waiting) {
    request->early_fin = 1;
  } else if (request && request->session) {
    return result(wt_session_on_fin(request->session));
  }
  return 0;
}

static int on_acked(nghttp3_conn *nghttp3, int64_t stream_id, uint64_t datalen,
                    void *user_data, void *stream_user_data) {
  h3_conn *h3 = user_data;
  h3_request *request = stream_user_data;
  (void)nghttp3;
  (void)stream_id;

  if (request) {
    send_queue_acked(&request->body, (size_t)datalen, quic_conn_mem(h3->conn));
  }
  return 0;
}

static int on_close(nghttp3_conn *nghttp3, int64_t stream_id,
                    uint64_t error_code, void *user_data,
                    void *stream_user_data) {
  h3_conn *h3 = user_data;
  h3_request *request = stream_user_data;
  (void)nghttp3;
  (void)stream_id;
  (void)error_code;

  if (request) {
    if (request->session) {
      wt_session_on_abort(request->session);
    }
    h3_request_free(request);
    return result(h3_conn_end_request(h3));
  }
  return 0;
}

static int on_stop_sending(nghttp3_conn *nghttp3, int64_t stream_id,
                           uint64_t error_code, void *user_data,
                           void *stream_user_data) {
  h3_conn *h3 = user_data;
  quic_stream *stream = h3_find_stream(h3, stream_id);
  (void)nghttp3;
  (void)stream_user_data;

  if (stream) {
    quic_stream_stop_sending(stream, error_code);
  }
  return 0;
}

static int on_reset_stream(nghttp3_conn *nghttp3, int64_t stream_id,
                           uint64_t error_code, void *user_data,
                           void *stream_user_data) {
  h3_conn *h3 = user_data;
  quic_stream *stream = h3_find_stream(h3, stream_id);
  (void)nghttp3;
  (void)stream_user_data;

  if (stream) {
    quic_stream_reset(stream, error_code);
  }
  return 0;
}

int h3_request_resume(h3_request *request) {
  h3_conn *h3 = request->h3;
  ngtcp2_vec vec;
  int rv = 0;

  request->waiting = 0;
  while (rv == 0 && send_queue_peek(&request->early, &vec, 1)) {
    if (request->session) {
      rv = wt_session_on_data(request->session, vec.base, vec.len);
    } else if (request->session_closed) {
      h3_request_abort(request, NGHTTP3_H3_MESSAGE_ERROR);
    }
    quic_conn_consume(h3->conn, h3_find_stream(h3, request->stream_id),
                      vec.len);
    send_queue_sent(&request->early, vec.len);
    send_queue_acked(&request->early, vec.len, quic_conn_mem(h3->conn));
  }
  if (rv == 0 && request->early_fin && request->session) {
    rv = wt_session_on_fin(request->session);
  }
  return rv;
}

/* Answers a request that waited for SETTINGS; the application may have it wait
   on. */
static int go_on(h3_request *request) {
  int rv;

  request->waiting = 0;
  rv = h3_answer_webtransport(request);
  return rv == 0 && !request->waiting ? h3_request_resume(request) : rv;
}

static int on_settings(nghttp3_conn *nghttp3,
                       const nghttp3_proto_settings *settings,
                       void *user_data) {
  h3_conn *h3 = user_data;
  const ngtcp2_transport_params *params =
      ngtcp2_conn_get_remote_transport_params2(quic_conn_ngtcp2(h3->conn));
  h3_request *request, *next;
  (void)nghttp3;

  h3->settings_received = 1;
  h3->datagrams =
      settings->h3_datagram && params && params->max_datagram_frame_size > 0;
  for (request = h3->requests; request; request = next) {
    next = request->next;
    if (request->waiting && !request->session && go_on(request) != 0) {
      return NGHTTP3_ERR_CALLBACK_FAILURE;
    }
  }
  return 0;
}

/* Seeds nghttp3's tables; it has no argument to pass a source by. */
static void on_rand(uint8_t *dest, size_t destlen) {
  if (cm_random_system.fill(cm_random_system.user, dest, destlen) != 0) {
    memset(dest, 0, destlen);
  }
}

int h3_new_nghttp3(h3_conn *h3) {
  static const nghttp3_callbacks callbacks = {.acked_stream_data = on_acked,
                                              .stream_close = on_close,
                                              .recv_data = on_data,
                                              .deferred_consume =
                                                  on_deferred_consume,
                                              .begin_headers = on_begin_headers,
                                              .recv_header = on_header,
                                              .end_headers = on_end_headers,
                                              .stop_sending = on_stop_sending,
                                              .end_stream = on_end_stream,
                                              .reset_stream = on_reset_stream,
                                              .rand = on_rand,
                                              .recv_settings2 = on_settings};
  nghttp3_settings settings;

  nghttp3_settings_default(&settings);
  settings.max_field_section_size = H3_FIELD_SECTION_MAX;
  settings.qpack_max_dtable_capacity = QPACK_TABLE;
  settings.qpack_blocked_streams = QPACK_BLOCKED_STREAMS;
  settings.enable_connect_protocol = 1;
  settings.h3_datagram = 1;
  h3_memory_init(&h3->memory, quic_conn_mem(h3->conn), H3_MEMORY_MAX);
  if (nghttp3_conn_server_new(&h3->nghttp3, &callbacks, &settings,
                              &h3->memory.mem, h3) != 0) {
    return QUIC_ERR_NOMEM;
  }
  h3->client_streams =
      ngtcp2_conn_get_local_transport_params2(quic_conn_ngtcp2(h3->conn))
          ->initial_max_streams_bidi;
  nghttp3_conn_set_max_client_streams_bidi(h3->nghttp3, h3->client_streams);
  return 0;
}
