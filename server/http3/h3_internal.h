/* SPDX-License-Identifier: Apache-2.0 */
/* What h3.c and request.c share; nobody else includes it. */
#ifndef SERVER_HTTP3_H3_INTERNAL_H
#define SERVER_HTTP3_H3_INTERNAL_H

#include "server/http3/h3.h"
#include "server/http3/settings.h"

#define H3_PULL_VECS 15

struct wt_conn;

struct h3_conn {
  quic_conn *conn;
  const h3_service *service;
  nghttp3_conn *nghttp3;
  /* nghttp3 keeps a pointer to it. */
  nghttp3_mem memory;
  struct wt_conn *wt;
  int64_t control_id;
  h3_setting extra[H3_WEBTRANSPORT_SETTINGS];
  h3_splice splice;
  /* No WebTransport request is answered before the peer's SETTINGS
     (draft-ietf-webtrans-http3 section 3.1). */
  int settings_received;
  /* Bidi streams that the client was ever allowed. */
  uint64_t client_streams;
  h3_request *requests;
};

/* Sets the connection's error after what nghttp3 returned; returns
   QUIC_ERR_FAILED. */
int h3_fail(h3_conn *h3, int liberr);

/* QUIC_ERR_NOMEM. */
int h3_new_nghttp3(h3_conn *h3);

/* The request's stream was reset, stopped or closed by the peer. */
void h3_request_on_abort(h3_conn *h3, int64_t stream_id);

/* The client abandoned the request stream |quic|, before it was answered or
   after. */
void h3_request_on_reset(h3_conn *h3, quic_stream *quic);

void h3_request_free(h3_request *request);

#endif
