/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of HTTP/3 share; nobody else includes it. */
#ifndef SERVER_HTTP3_H3_INTERNAL_H
#define SERVER_HTTP3_H3_INTERNAL_H

#include "server/http3/h3.h"
#include "server/http3/memory.h"
#include "server/http3/settings.h"
#include "server/http3/stream_ids.h"

#define H3_PULL_VECS 15

struct wt_conn;

struct h3_conn {
  quic_conn *conn;
  h3_service *service;
  h3_conn *next, **link; /* in the list of the service */
  nghttp3_conn *nghttp3;
  h3_memory memory;
  struct wt_conn *wt;
  int64_t control_id;
  h3_setting extra[H3_WEBTRANSPORT_SETTINGS];
  h3_splice splice;
  /* No WebTransport request is answered before the peer's SETTINGS
     (draft-ietf-webtrans-http3 section 3.1). */
  int settings_received;
  /* The peer takes datagrams, in QUIC and in HTTP/3: no WebTransport without
     them (the same section). */
  int datagrams;
  /* Bidi streams that the client was ever allowed. */
  uint64_t client_streams;
  h3_stream_ids ids;
  h3_request *requests;
  /* Some request became excessive in a callback of nghttp3's. */
  int excessive;
  /* When the first request has to be there; when GOAWAY is to be final, and
     then when the connection is closed.  UINT64_MAX: never, or it is over. */
  uint64_t request_deadline;
  uint64_t goaway_deadline;
  int draining;
  int asked;   /* a request was begun */
  int refuses; /* requests, from now on */
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

/* NULL if there is none. */
quic_stream *h3_find_stream(h3_conn *h3, int64_t stream_id);
h3_request *h3_find_request(h3_conn *h3, int64_t stream_id);

/* The header section is there: answers it, or lets it wait for the peer's
   SETTINGS.  0 or QUIC_ERR_*. */
int h3_answer(h3_request *request);

/* Answers a request for a session, now that the peer's SETTINGS are there.  0
   or QUIC_ERR_*. */
int h3_answer_webtransport(h3_request *request);

/* Octets of |stream_id| are no longer wanted: its header section is too large,
   which is answered, or its body. */
int h3_request_stop(h3_conn *h3, quic_stream *quic);

/* The same for all requests that became excessive. */
int h3_stop_excessive(h3_conn *h3);

/* quic_protocol's. */
uint64_t h3_deadline(const void *state);
int h3_expire(void *state, uint64_t now);

/* As h3_service_drain(), for one connection. */
void h3_conn_drain(h3_conn *h3, uint64_t now);

/* A request is over: with the last one goes the connection, if the server
   stops.  0 or QUIC_ERR_FAILED. */
int h3_conn_end_request(h3_conn *h3);

#endif
