/* SPDX-License-Identifier: Apache-2.0 */
/* What a request is answered, and how the answer gets to nghttp3. */
#include "server/http3/h3_internal.h"

#include "server/webtransport/wt_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALLOW "GET, HEAD"

static nghttp3_ssize read_body(nghttp3_conn *nghttp3, int64_t stream_id,
                               nghttp3_vec *vec, size_t veccnt,
                               uint32_t *pflags, void *user_data,
                               void *stream_user_data) {
  h3_request *request = stream_user_data;
  ngtcp2_vec out[H3_PULL_VECS];
  size_t i, n, len = 0;
  (void)nghttp3;
  (void)stream_id;
  (void)user_data;

  n = send_queue_peek(&request->body, out,
                      veccnt < H3_PULL_VECS ? veccnt : H3_PULL_VECS);
  for (i = 0; i < n; ++i) {
    vec[i].base = out[i].base;
    vec[i].len = out[i].len;
    len += out[i].len;
  }
  send_queue_sent(&request->body, len);
  if (request->body.pending == 0 && request->body_fin) {
    *pflags |= NGHTTP3_DATA_FLAG_EOF;
  } else if (n == 0) {
    return NGHTTP3_ERR_WOULDBLOCK;
  }
  return (nghttp3_ssize)n;
}

int h3_request_write(h3_request *request, const uint8_t *data, size_t len,
                     int fin) {
  h3_conn *h3 = request->h3;

  if (send_queue_append(&request->body, data, len, quic_conn_mem(h3->conn)) !=
      0) {
    return QUIC_ERR_NOMEM;
  }
  request->body_fin = request->body_fin || fin;
  nghttp3_conn_resume_stream(h3->nghttp3, request->stream_id);
  quic_conn_wake(h3->conn);
  return 0;
}

static nghttp3_nv field(const char *name, const char *value) {
  nghttp3_nv nv;

  nv.name = (const uint8_t *)name;
  nv.namelen = strlen(name);
  nv.value = (const uint8_t *)value;
  nv.valuelen = strlen(value);
  nv.flags = NGHTTP3_NV_FLAG_NONE;
  return nv;
}

int h3_respond(h3_request *request, int status, const h3_field *fields,
               size_t nfields, int open) {
  h3_conn *h3 = request->h3;
  const nghttp3_data_reader reader = {read_body};
  nghttp3_nv nva[2 + H3_FIELDS_MAX];
  size_t n = 0, i;
  char text[16];
  int rv;

  snprintf(text, sizeof(text), "%03d", status);
  nva[n++] = field(":status", text);
  nva[n++] = field("server", "fortnight");
  for (i = 0; i < nfields && i < H3_FIELDS_MAX; ++i) {
    nva[n++] = field(fields[i].name, fields[i].value);
  }
  request->responded = 1;
  rv = nghttp3_conn_submit_response(h3->nghttp3, request->stream_id, nva, n,
                                    open ? &reader : NULL);
  if (rv != 0) {
    return h3_fail(h3, rv);
  }
  quic_conn_wake(h3->conn);
  return 0;
}

void h3_request_abort(h3_request *request, uint64_t error_code) {
  h3_conn *h3 = request->h3;
  quic_stream *stream = h3_find_stream(h3, request->stream_id);

  if (stream) {
    quic_stream_stop_sending(stream, error_code);
    quic_stream_reset(stream, error_code);
    nghttp3_conn_shutdown_stream_write(h3->nghttp3, request->stream_id);
  }
}

/* ---- Answers ---- */

static int is_method(const h3_request *request, const char *method) {
  return strcmp(request->method, method) == 0;
}

/* The response to HEAD has the fields of that to GET, and no content
   (RFC 9110 section 9.3.2). */
static int answer_get(h3_request *request) {
  h3_conn *h3 = request->h3;
  h3_field fields[] = {{"content-type", "text/plain; charset=utf-8"},
                       {"content-length", NULL}};
  char *body = NULL, length[24];
  size_t len = 0;
  int status, open, rv;

  status = h3->service->get(h3->service->user, request->path, &body, &len,
                            &fields[0].value);
  snprintf(length, sizeof(length), "%zu", len);
  fields[1].value = length;
  open = len && !is_method(request, "HEAD");
  rv = h3_respond(request, status, fields, 2, open);
  if (rv == 0 && open) {
    rv = h3_request_write(request, (const uint8_t *)body, len, 1);
  }
  free(body);
  return rv;
}

/* A response without content. */
static int answer_shortly(h3_request *request, int status) {
  static const h3_field fields[] = {{"content-length", "0"}, {"allow", ALLOW}};

  return h3_respond(request, status, fields, status == 405 ? 2 : 1, 0);
}

static int is_webtransport(const h3_request *request) {
  return is_method(request, "CONNECT") && request->protocol &&
         (strcmp(request->protocol, "webtransport") == 0 ||
          strcmp(request->protocol, "webtransport-h3") == 0);
}

int h3_answer_webtransport(h3_request *request) {
  h3_conn *h3 = request->h3;

  if (!h3->datagrams) {
    /* Malformed (draft-ietf-webtrans-http3 section 3.1; RFC 9114 section
       4.1.2).  WT_REQUIREMENTS_NOT_MET is for clients that find no WebTransport
       here. */
    request->responded = 1;
    h3_request_forget_fields(request);
    wt_conn_refuse(h3->wt, (uint64_t)request->stream_id);
    h3_request_abort(request, NGHTTP3_H3_MESSAGE_ERROR);
    return 0;
  }
  return wt_conn_connect(h3->wt, request);
}

int h3_answer(h3_request *request) {
  h3_conn *h3 = request->h3;

  if (request->responded) {
    return 0;
  }
  if (request->malformed || !request->method) {
    return answer_shortly(request, 400);
  }
  if (is_webtransport(request)) {
    if (!h3->settings_received) {
      request->waiting = 1;
      return 0;
    }
    return h3_answer_webtransport(request);
  }
  h3_request_forget_fields(request);
  /* What waits for a session with this ID waits in vain. */
  wt_conn_refuse(h3->wt, (uint64_t)request->stream_id);
  if (is_method(request, "CONNECT")) {
    return answer_shortly(request, 501);
  }
  if (!request->path ||
      (!is_method(request, "GET") && !is_method(request, "HEAD"))) {
    return answer_shortly(request, 405);
  }
  return answer_get(request);
}

int h3_request_stop(h3_conn *h3, quic_stream *quic) {
  h3_request *request = h3_find_request(h3, quic->id);
  int rv;

  rv = nghttp3_conn_shutdown_stream_read(h3->nghttp3, quic->id);
  if (rv != 0) {
    return h3_fail(h3, rv);
  }
  if (request && request->session) {
    /* Trailers, and too long. */
    h3_request_abort(request, NGHTTP3_H3_EXCESSIVE_LOAD);
    wt_session_on_abort(request->session);
    return 0;
  }
  if (request && !request->responded) {
    wt_conn_refuse(h3->wt, (uint64_t)request->stream_id);
    request->waiting = 0;
    rv = answer_shortly(request, 431);
  }
  /* There is a response, and no need for the rest of the request (RFC 9114
     section 4.1). */
  quic_stream_stop_sending(quic, NGHTTP3_H3_NO_ERROR);
  return rv;
}
