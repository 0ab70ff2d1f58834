/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A QUIC, HTTP/3 and WebTransport client for tests and for load.
 *
 * It does no input or output: packets go in by sim_client_receive() and come
 * out of sim_client_send(), the time is an argument, randomness is an
 * argument, memory comes from one allocator.  QUIC is ngtcp2's; HTTP/3
 * (RFC 9114) and WebTransport (draft-ietf-webtrans-http3-02, as Chromium
 * speaks it) are written by hand here and share no code with the server, so
 * that a mistake of the server's is not mirrored by the client.  Only QPACK
 * is nghttp3's.
 *
 * The client is strict: what the server sends against the specification
 * closes the connection with the error that the specification names, and
 * |closed| reports it with |local| set.
 *
 * Callbacks may call any function of this header but sim_client_free(),
 * sim_client_receive() and sim_client_send().
 */
#ifndef TESTS_SIM_CLIENT_H
#define TESTS_SIM_CLIENT_H

#include <ngtcp2/ngtcp2.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/random.h"

typedef enum sim_error {
  SIM_ERR_NOMEM = -901,
  /* An argument is unusable, or the stream is not known (any more). */
  SIM_ERR_INVALID = -902,
  /* The peer does not allow another stream now, or the queue is full. */
  SIM_ERR_BLOCKED = -903,
  /* The datagram is larger than the peer or the path allows. */
  SIM_ERR_TOO_LARGE = -904,
  /* The connection is closed. */
  SIM_ERR_CLOSED = -905,
  /* TLS or QUIC refused to begin. */
  SIM_ERR_INTERNAL = -906
} sim_error;

/* No session: a stream or datagram of ALPN echo, or a raw stream. */
#define SIM_NO_SESSION (-1)

/* HTTP/3 and WebTransport error codes that the client uses or tests for. */
#define SIM_H3_NO_ERROR 0x100u
#define SIM_H3_GENERAL_PROTOCOL_ERROR 0x101u
#define SIM_H3_STREAM_CREATION_ERROR 0x103u
#define SIM_H3_CLOSED_CRITICAL_STREAM 0x104u
#define SIM_H3_FRAME_UNEXPECTED 0x105u
#define SIM_H3_FRAME_ERROR 0x106u
#define SIM_H3_EXCESSIVE_LOAD 0x107u
#define SIM_H3_ID_ERROR 0x108u
#define SIM_H3_SETTINGS_ERROR 0x109u
#define SIM_H3_MISSING_SETTINGS 0x10au
#define SIM_H3_REQUEST_REJECTED 0x10bu
#define SIM_H3_REQUEST_CANCELLED 0x10cu
#define SIM_H3_MESSAGE_ERROR 0x10eu
#define SIM_H3_DATAGRAM_ERROR 0x33u
#define SIM_QPACK_DECOMPRESSION_FAILED 0x200u
#define SIM_QPACK_ENCODER_STREAM_ERROR 0x201u
#define SIM_WT_BUFFERED_STREAM_REJECTED 0x3994bd84u
#define SIM_WT_SESSION_GONE 0x170d7b68u

typedef enum sim_closed_by {
  /* CONNECTION_CLOSE came from, or went to, the peer. */
  SIM_CLOSED_TRANSPORT,
  SIM_CLOSED_APPLICATION,
  /* Nothing was heard for the idle time, or during the handshake. */
  SIM_CLOSED_IDLE,
  SIM_CLOSED_HANDSHAKE_TIMEOUT,
  /* The peer speaks none of our versions (RFC 9000 section 6). */
  SIM_CLOSED_VERSION,
  /* A stateless reset (RFC 9000 section 10.3). */
  SIM_CLOSED_RESET,
  /* The packets are beyond use; nothing was sent. */
  SIM_CLOSED_DROPPED
} sim_closed_by;

typedef struct sim_closed {
  sim_closed_by by;
  /* 1: this client closed; 0: the peer did, or nobody. */
  int local;
  uint64_t error_code;
  /* Not NUL-terminated; lives during the callback, or as long as the client
     when read by sim_client_closed(). */
  const char *reason;
  size_t reason_len;
} sim_closed;

typedef struct sim_client sim_client;

/* Each may be NULL.  |data| lives during the callback. */
typedef struct sim_callbacks {
  /* The TLS handshake is done: streams may be opened. */
  void (*handshake_done)(sim_client *client, void *user);
  /* The server has it from the client too (HANDSHAKE_DONE). */
  void (*handshake_confirmed)(sim_client *client, void *user);
  /* The server's SETTINGS came. */
  void (*settings)(sim_client *client, void *user);
  /* The CONNECT stream |session| was answered; 2xx: the session is open. */
  void (*session_answered)(sim_client *client, int64_t session, int status,
                           void *user);
  /* |session| ended.  |by_peer|: the server closed it by CLOSE or by FIN. */
  void (*session_closed)(sim_client *client, int64_t session, int by_peer,
                         uint32_t code, const char *reason, size_t len,
                         void *user);
  /* DRAIN_WEBTRANSPORT_SESSION came. */
  void (*session_draining)(sim_client *client, int64_t session, void *user);
  /* The answer's status to a request; the body comes as stream_data. */
  void (*response)(sim_client *client, int64_t stream, int status, void *user);
  /* A field of the answer to a request, or to CONNECT; ":status" too. */
  void (*field)(sim_client *client, int64_t stream, const char *name,
                size_t name_len, const char *value, size_t value_len,
                void *user);
  /* GOAWAY (RFC 9114 section 5.2). */
  void (*goaway)(sim_client *client, uint64_t id, void *user);
  /* The server opened a stream in |session| (or SIM_NO_SESSION). */
  void (*stream_opened)(sim_client *client, int64_t stream, int64_t session,
                        void *user);
  /* |len| more octets came on |stream|; |fin|: they were the last. */
  void (*stream_data)(sim_client *client, int64_t stream, const uint8_t *data,
                      size_t len, int fin, void *user);
  /* RESET_STREAM and STOP_SENDING, with the code as it was on the wire. */
  void (*stream_reset)(sim_client *client, int64_t stream, uint64_t error_code,
                       void *user);
  void (*stream_stopped)(sim_client *client, int64_t stream,
                         uint64_t error_code, void *user);
  /* Both directions of |stream| are done; its number is of no more use. */
  void (*stream_closed)(sim_client *client, int64_t stream, void *user);
  /* The server allows more streams than before. */
  void (*streams_available)(sim_client *client, void *user);
  void (*datagram)(sim_client *client, int64_t session, const uint8_t *data,
                   size_t len, void *user);
  /* The connection is over.  Called once. */
  void (*closed)(sim_client *client, const sim_closed *closed, void *user);
} sim_callbacks;

typedef enum sim_mode {
  /* HTTP/3: the client opens its control and QPACK streams by itself. */
  SIM_MODE_H3,
  /* No protocol above QUIC: every stream and datagram is raw.  With ALPN
     "h3" that is the way to send malformed HTTP/3. */
  SIM_MODE_RAW
} sim_mode;

/* A WOLFSSL_CTX for clients, to be shared by many of them. */
typedef struct sim_tls sim_tls;

/* Fails with SIM_ERR_NOMEM.  Freed with sim_tls_free() after its clients. */
int sim_tls_new(sim_tls **ptls);
void sim_tls_free(sim_tls *tls);

typedef struct sim_client_config {
  sim_mode mode;
  /* Offered ALPN, comma-separated: "h3", "echo", "h3,echo". */
  const char *alpn;
  /* The name for SNI; NULL: none, as for an IP address. */
  const char *server_name;
  /* SHA-256 of the certificates (DER) that are accepted: |nhashes| times 32
     octets.  Copied. */
  const uint8_t (*hashes)[32];
  size_t nhashes;
  /* The addresses of the path.  Copied. */
  const ngtcp2_path *path;
  /* 0: QUIC version 1. */
  uint32_t version;
  /* Octets of the client's connection IDs; Chromium has 0. */
  size_t scid_len;
  /* Flow control offered, octets; 0: 6 MiB a stream, 15 MiB in all. */
  uint64_t stream_window;
  uint64_t window;
  /* 1: never extend the windows: a reader that does not read. */
  int hold_windows;
  /* Streams that the server may open at a time; 0: 100 of each kind. */
  uint64_t max_streams;
  /* Nanoseconds; 0: 30 s. */
  uint64_t idle_timeout;
  /* Nanoseconds; 0: 10 s. */
  uint64_t handshake_timeout;
  /* Largest UDP payload to send; 0: ngtcp2's own choice, with path MTU
     discovery.  Given: no discovery. */
  size_t max_udp_payload;
  /* What the Initials carry as token, as if a Retry or NEW_TOKEN had given it;
     borrowed until sim_client_new() returns. */
  const uint8_t *token;
  size_t token_len;
  /* 1: tells the server that it takes no DATAGRAM frames. */
  int no_datagrams;
  /* Datagrams that wait to be sent; 0: 64. */
  size_t datagram_queue;
  /* Borrowed; must outlive the client. */
  sim_tls *tls;
  sim_random *random;
  /* NULL: malloc.  Borrowed. */
  const ngtcp2_mem *mem;
  /* Copied. */
  sim_callbacks callbacks;
  void *user;
  /* NULL, or where ngtcp2's log lines go. */
  ngtcp2_log_write log;
} sim_client_config;

/*
 * Makes a client that is about to send its first Initial.  |now|: monotonic,
 * nanoseconds.  Freed with sim_client_free(), which sends nothing.
 * Fails with SIM_ERR_NOMEM, SIM_ERR_INVALID or SIM_ERR_INTERNAL.
 */
int sim_client_new(sim_client **pclient, const sim_client_config *config,
                   uint64_t now);
void sim_client_free(sim_client *client);

/* Gives the client one UDP payload that came to it. */
void sim_client_receive(sim_client *client, const uint8_t *data, size_t len,
                        uint64_t now);

/*
 * Writes the next packet into |buf|; |cap| at least 1500.  Returns its length,
 * or 0 when there is none to send before sim_client_deadline().  Call it until
 * it returns 0 after each sim_client_receive(), at each deadline, and after
 * anything was queued.
 */
size_t sim_client_send(sim_client *client, uint8_t *buf, size_t cap,
                       uint64_t now);

/* When sim_client_send() must be called next; UINT64_MAX: never. */
uint64_t sim_client_deadline(const sim_client *client);

/* NULL while the connection lives. */
const sim_closed *sim_client_closed(const sim_client *client);
int sim_client_handshake_done(const sim_client *client);
/* SHA-256 of the certificate that was accepted; NULL before. */
const uint8_t *sim_client_certificate(const sim_client *client);
/* The ALPN protocol that was chosen, NUL-terminated; "" before. */
const char *sim_client_alpn(const sim_client *client);
/* 1 and |*value| if the server's SETTINGS hold |id|, else 0. */
int sim_client_setting(const sim_client *client, uint64_t id, uint64_t *value);
ngtcp2_conn *sim_client_conn(sim_client *client);
void *sim_client_user(sim_client *client);

/* Closes the connection with an application error; |reason| may be NULL.
   The next sim_client_send() yields the packet that says so. */
void sim_client_close(sim_client *client, uint64_t error_code,
                      const char *reason);

/*
 * Opens a stream: in a session (the WebTransport prefix is written at once),
 * or with SIM_NO_SESSION a raw one.  |session| need not be open, or a session
 * at all.  Fails with SIM_ERR_BLOCKED, SIM_ERR_CLOSED, SIM_ERR_NOMEM.
 */
int sim_client_open_bidi(sim_client *client, int64_t session, int64_t *pstream);
int sim_client_open_uni(sim_client *client, int64_t session, int64_t *pstream);

/* Queues a copy of |len| octets, and FIN after them.
   SIM_ERR_INVALID: no such stream, or it was finished already. */
int sim_client_stream_write(sim_client *client, int64_t stream,
                            const uint8_t *data, size_t len, int fin);

/* Octets written to |stream| and not yet acknowledged by the server. */
size_t sim_client_stream_pending(const sim_client *client, int64_t stream);

/* RESET_STREAM and STOP_SENDING with a code of the wire. */
int sim_client_stream_reset(sim_client *client, int64_t stream,
                            uint64_t error_code);
int sim_client_stream_stop(sim_client *client, int64_t stream,
                           uint64_t error_code);

/*
 * Queues a datagram; within a session, or raw.  Fails with SIM_ERR_BLOCKED
 * (the queue is full), SIM_ERR_TOO_LARGE, SIM_ERR_CLOSED.
 */
int sim_client_datagram(sim_client *client, int64_t session,
                        const uint8_t *data, size_t len);

/* Largest payload that sim_client_datagram() takes now. */
size_t sim_client_datagram_max(const sim_client *client, int64_t session);

/* The parts of a request that a test chooses. */
typedef struct sim_request {
  /* ":authority" */
  const char *authority;
  /* ":path" */
  const char *path;
  /* NULL: no origin field. */
  const char *origin;
  /* NULL: "webtransport".  Only for CONNECT. */
  const char *protocol;
  /* WT-Available-Protocols, as it is; NULL: no such field.  Only for
     CONNECT. */
  const char *available_protocols;
} sim_request;

/*
 * Asks for a WebTransport session (RFC 9220 with draft-02 section 3).  Waits
 * for the server's SETTINGS, as Chromium does, before the request goes out.
 * Fails with SIM_ERR_BLOCKED, SIM_ERR_CLOSED, SIM_ERR_NOMEM.
 */
int sim_client_session_open(sim_client *client, const sim_request *request,
                            int64_t *psession);

/* The two halves of it: the stream is opened now, and the request is written
   by a later call (at once, SETTINGS or not). */
int sim_client_session_reserve(sim_client *client, int64_t *psession);
int sim_client_session_request(sim_client *client, int64_t session,
                               const sim_request *request);

/* CLOSE_WEBTRANSPORT_SESSION and FIN; |reason| may be NULL. */
int sim_client_session_close(sim_client *client, int64_t session, uint32_t code,
                             const char *reason);

/* GET |request->path|. */
int sim_client_get(sim_client *client, const sim_request *request,
                   int64_t *pstream);

typedef struct sim_field {
  const char *name;
  const char *value;
} sim_field;

/*
 * A request of any fields, as they are and in this order; FIN behind them if
 * |fin|.  |nfields| 0: the stream is opened, and the caller writes to it what
 * it likes.  What comes back is read as the response to a request.
 */
int sim_client_request(sim_client *client, const sim_field *fields,
                       size_t nfields, int fin, int64_t *pstream);

/* WebTransport application errors on the wire (draft section 4.3):
   sim_wt_error() to HTTP/3, sim_wt_code() back: 1 if it is one, else 0. */
uint64_t sim_wt_error(uint32_t code);
int sim_wt_code(uint64_t error_code, uint32_t *code);

#endif
