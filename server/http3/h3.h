/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/3 on one QUIC connection (RFC 9114), by an unmodified nghttp3.
 *
 * nghttp3 knows nothing of WebTransport, so the first varint of each stream
 * that the peer opens is read here: WebTransport streams go to webtransport/
 * and never reach nghttp3, everything else does, octet for octet.
 */
#ifndef SERVER_HTTP3_H3_H
#define SERVER_HTTP3_H3_H

#include "server/quic/conn.h"
#include "server/quic/protocol.h"
#include "server/webtransport/service.h"

#include <nghttp3/nghttp3.h>

/* Larger requests are answered 431 (RFC 9114 section 4.2.2; RFC 6585). */
#define H3_FIELD_SECTION_MAX 16384

/* Octets that nghttp3 may have for one connection; who makes it need more has
   the connection closed with H3_EXCESSIVE_LOAD. */
#define H3_MEMORY_MAX (1024 * 1024)

/* Octets of a request's body that are read, and dropped; the client is asked
   to stop after them. */
#define H3_BODY_MAX 65536

/* Between the notice that a connection will take no more requests, and the
   GOAWAY that holds from then on (RFC 9114 section 5.2): requests that were on
   their way have come by then.  In nanoseconds. */
#define H3_GOAWAY_DELAY UINT64_C(1000000000)

/* After the last session of a connection that drains, for its client to learn
   how it ended, and to close the connection itself: CONNECTION_CLOSE that comes
   at once makes Chromium forget the session's code and reason.  In
   nanoseconds. */
#define H3_LINGER UINT64_C(500000000)

/* Stream types and frame types that begin a WebTransport stream
   (draft-ietf-webtrans-http3 section 4). */
#define H3_WT_BIDI_SIGNAL 0x41
#define H3_WT_UNI_TYPE 0x54

typedef struct h3_conn h3_conn;
typedef struct h3_request h3_request;

/* What the protocol "h3" serves: quic_service.service. */
typedef struct h3_service {
  /* Answers GET and HEAD: writes the body of |path| (with its query) into a new
     buffer of |*plen| octets, to be freed with free(), and its media type.
     Returns the status: 200, 404 …  May set no body. */
  int (*get)(void *user, const char *path, char **pbody, size_t *plen,
             const char **content_type);
  void *user;
  wt_service webtransport;
  /* Nanoseconds after its handshake in which a connection has to make a
     request, or it is closed; 0: it need not. */
  uint64_t request_timeout;

  /* Private: 0 and NULL at first. */
  int draining;
  int stopping;
  uint64_t grace_end; /* while draining: requests are refused from then on */
  h3_conn *conns;
} h3_service;

extern const quic_protocol h3_protocol;

/*
 * Begins to stop gracefully.  Each session is told so by a DRAIN capsule, each
 * connection that has none, and those still to come, by GOAWAY; sessions go on
 * until either side ends them.  H3_GOAWAY_DELAY later requests are refused,
 * also those of connections that are made then, and connections with none left
 * are closed with H3_NO_ERROR, as soon as that is so.  The packets go out with
 * quic_endpoint_send().
 */
void h3_service_drain(h3_service *service, uint64_t now);

/* Whether there is a request that either side has not ended, sessions
   included, or a connection that has not made its first. */
int h3_service_is_busy(const h3_service *service);

/* Ends every session as wt_session_close() does.  Returns how many there
   were. */
size_t h3_service_close_sessions(h3_service *service, uint32_t code,
                                 const char *reason);

/*
 * The same when the server stops: from then on requests are refused, and a
 * connection whose last one is over is closed with NO_ERROR.  To be followed by
 * h3_service_shutdown() when the service is not busy any more, or has been for
 * too long.
 */
void h3_service_stop(h3_service *service, uint32_t code, const char *reason);

/* Before quic_endpoint_shutdown(): has it close connections that have made no
   request yet with H3_NO_ERROR. */
void h3_service_shutdown(h3_service *service);

/* Sessions that are open. */
size_t h3_service_sessions(const h3_service *service);

typedef struct h3_field {
  const char *name, *value;
} h3_field;

/* One request; private to h3.c and to the WebTransport session on it. */
struct h3_request {
  h3_conn *h3;
  int64_t stream_id;
  /* NUL-terminated, NULL where the request has none. */
  char *method, *scheme, *authority, *path, *protocol, *origin;
  char *available_protocols; /* all lines of WT-Available-Protocols */
  /* All fields but pseudo-header fields, each a name and a value with a NUL
     behind it; until h3_request_forget_fields(). */
  char *fields;
  size_t fields_len, fields_size;
  size_t field_section_size;
  size_t received; /* of a body that nobody reads */
  int malformed;   /* a field is there twice */
  int excessive;   /* the header section or the body is too large */
  send_queue body;
  int body_fin;
  int responded;
  int waiting; /* for the peer's SETTINGS, or for the application */
  /* What came meanwhile; it is not credited. */
  send_queue early;
  int early_fin;
  struct wt_session *session;
  int session_closed; /* by the peer's CLOSE: nothing may follow it */
  h3_request *next, **link;
};

/* How many fields h3_respond() takes. */
#define H3_FIELDS_MAX 4

/* Sends the response's header section with the |nfields| at |fields|, copied.
   With |open| the stream stays open for h3_request_write(), else it ends.
   Returns 0 or sets the connection's error and returns QUIC_ERR_FAILED. */
int h3_respond(h3_request *request, int status, const h3_field *fields,
               size_t nfields, int open);

/* Appends to the response's body; FIN behind it if |fin|.  QUIC_ERR_NOMEM. */
int h3_request_write(h3_request *request, const uint8_t *data, size_t len,
                     int fin);

/* A request that was waiting is answered: goes on with what came behind it.
   0 or QUIC_ERR_*. */
int h3_request_resume(h3_request *request);

/* Nobody will ask for the header fields. */
void h3_request_forget_fields(h3_request *request);

/* Resets both directions of the request's stream. */
void h3_request_abort(h3_request *request, uint64_t error_code);

quic_conn *h3_request_conn(h3_request *request);

#endif
