/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the client share.
 *
 *   client.c          the connection: life, packets in, ngtcp2's callbacks
 *   client_wire.c     moving, tokens, tampering with packets
 *   client_tls.c      wolfSSL: the context, the pinned certificate
 *   client_stream.c   streams and what waits to be sent; packets out
 *   client_h3.c       HTTP/3 and capsules as they come in
 *   client_fields.c   field sections, by way of QPACK
 *   client_request.c  HTTP/3 and WebTransport as they go out
 */
#ifndef TESTS_SIM_CLIENT_INTERNAL_H
#define TESTS_SIM_CLIENT_INTERNAL_H

#include <nghttp3/nghttp3.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "tests/sim/client.h"
#include "tests/sim/client_wire.h"

#define SIM_MAX_HASHES 4
#define SIM_MAX_SETTINGS 32
/* A field section or a SETTINGS frame longer than this is refused. */
#define SIM_MAX_FIELD_SECTION 16384
/* Octets kept of a stream whose field section waits for QPACK's table. */
#define SIM_MAX_HELD 65536
#define SIM_MAX_REASON 1024
#define SIM_DATAGRAM_SLOT 1500

/* One run of octets on their way out; kept until they are acknowledged. */
typedef struct sim_chunk {
  struct sim_chunk *next;
  size_t len;
  size_t cap;
  uint8_t data[];
} sim_chunk;

/* A varint (RFC 9000 section 16) that may come in pieces. */
typedef struct sim_varint {
  uint64_t value;
  uint8_t left;
  uint8_t started;
} sim_varint;

typedef enum sim_stream_kind {
  /* Every octet belongs to the user. */
  SIM_STREAM_RAW,
  /* Incoming; its type has not been read yet. */
  SIM_STREAM_UNTYPED,
  /* Ours, and never read from. */
  SIM_STREAM_OUTGOING,
  /* The server's. */
  SIM_STREAM_CONTROL,
  SIM_STREAM_QPACK_ENCODER,
  SIM_STREAM_QPACK_DECODER,
  SIM_STREAM_IGNORED,
  /* Ours, both ways. */
  SIM_STREAM_GET,
  SIM_STREAM_SESSION,
  /* In a session, from either side; past its prefix. */
  SIM_STREAM_WT
} sim_stream_kind;

typedef enum sim_parse {
  SIM_PARSE_TYPE,
  SIM_PARSE_LENGTH,
  SIM_PARSE_PAYLOAD
} sim_parse;

typedef struct sim_stream {
  struct sim_stream *prev;
  struct sim_stream *next;
  int64_t id;
  sim_stream_kind kind;
  int64_t session;

  /* Sending. */
  sim_chunk *head;
  sim_chunk *tail;
  sim_chunk *send_chunk;
  size_t send_pos;
  /* Octets written, handed to ngtcp2, acknowledged, and freed. */
  uint64_t written;
  uint64_t sent;
  uint64_t acked;
  uint64_t freed;
  int fin;
  int fin_sent;
  /* 1: waits for SETTINGS. */
  int held;
  /* 1: waits for MAX_STREAM_DATA. */
  int blocked;
  int queued;
  struct sim_stream *queue_next;

  /* Octets received that the server has not been credited with yet. */
  size_t credit;

  /* Receiving: frames, and within DATA of a session, capsules. */
  sim_varint varint;
  sim_parse parse;
  uint64_t frame_type;
  uint64_t frame_left;
  sim_parse capsule_parse;
  sim_varint capsule_varint;
  uint64_t capsule_type;
  uint64_t capsule_left;
  uint8_t *buf;
  size_t buf_len;
  size_t buf_cap;
  nghttp3_qpack_stream_context *qpack;
  size_t qpack_pos;
  /* The field section waits for the encoder stream; what follows it. */
  int qpack_blocked;
  uint8_t *held_data;
  size_t held_len;
  int held_fin;
  int status;
  int fin_received;
  int session_over;
  int close_received;
  int settings_received;
} sim_stream;

typedef struct sim_slot {
  uint8_t *data;
  size_t len;
} sim_slot;

typedef struct sim_wire {
  uint8_t token[256];
  size_t token_len;
  sim_tamper tamper;
  void *user;
} sim_wire;

struct sim_tls {
  WOLFSSL_CTX *ctx;
};

struct sim_client {
  ngtcp2_mem mem;
  nghttp3_mem h3mem;
  sim_client_config config;
  ngtcp2_path_storage path;
  ngtcp2_conn *conn;
  sim_wire wire;
  WOLFSSL *ssl;
  ngtcp2_crypto_conn_ref conn_ref;
  uint8_t hashes[SIM_MAX_HASHES][32];
  uint8_t certificate[32];
  int certificate_seen;
  char alpn[64];
  int handshake_done;
  /* The flight that ends the handshake has been written. */
  int handshake_written;
  uint64_t burst;

  sim_stream *streams;
  sim_stream *queue_head;
  sim_stream *queue_tail;
  sim_slot *slots;
  size_t slots_first;
  size_t slots_count;
  uint64_t datagram_id;

  sim_closed closed;
  int is_closed;
  /* CONNECTION_CLOSE has yet to be sent; how often it may be repeated. */
  int close_pending;
  int close_repeats;
  ngtcp2_ccerr ccerr;
  char reason[SIM_MAX_REASON];

  nghttp3_qpack_encoder *encoder;
  nghttp3_qpack_decoder *decoder;
  sim_stream *decoder_stream;
  struct {
    uint64_t id;
    uint64_t value;
  } settings[SIM_MAX_SETTINGS];
  size_t nsettings;
  int settings_received;
  uint64_t goaway;
  int peer_control;
  int peer_encoder;
  int peer_decoder;
};

/* client.c */
void *sim_alloc(sim_client *client, size_t size);
void sim_dealloc(sim_client *client, void *ptr);
/* Ends the connection with an application (or transport) error of ours. */
void sim_client_fail(sim_client *client, int application, uint64_t error_code,
                     const char *reason);
void sim_client_over(sim_client *client, sim_closed_by by, int local,
                     uint64_t error_code, const uint8_t *reason, size_t len);

/* client_wire.c: |client| is the one whose packets are written from now on. */
void sim_wire_sending(sim_client *client);
int sim_wire_encrypt(uint8_t *dest, const ngtcp2_crypto_aead *aead,
                     const ngtcp2_crypto_aead_ctx *aead_ctx,
                     const uint8_t *plaintext, size_t plaintextlen,
                     const uint8_t *nonce, size_t noncelen, const uint8_t *aad,
                     size_t aadlen);
int sim_wire_on_token(ngtcp2_conn *conn, const uint8_t *token, size_t len,
                      void *user);

/* client_tls.c */
int sim_tls_attach(sim_client *client);

/* client_stream.c */
sim_stream *sim_stream_add(sim_client *client, int64_t id,
                           sim_stream_kind kind);
void sim_stream_free(sim_client *client, sim_stream *stream);
sim_stream *sim_stream_find(const sim_client *client, int64_t id);
int sim_stream_append(sim_client *client, sim_stream *stream,
                      const uint8_t *data, size_t len, int fin);
void sim_stream_queue(sim_client *client, sim_stream *stream);
/* Extends the windows by |len| octets that came on |stream|. */
int sim_stream_credit(sim_client *client, sim_stream *stream, size_t len);
void sim_stream_acked(sim_client *client, sim_stream *stream, uint64_t acked);
void sim_slots_free(sim_client *client);

/* client_h3.c: 0, or -1 with the connection failed. */
int sim_h3_receive(sim_client *client, sim_stream *stream, const uint8_t *data,
                   size_t len, int fin);
int sim_h3_datagram(sim_client *client, const uint8_t *data, size_t len);
void sim_h3_stream_free(sim_client *client, sim_stream *stream);
/* |stream|'s session is over; resets the streams in it. */
void sim_h3_session_over(sim_client *client, sim_stream *stream, int by_peer,
                         uint32_t code, const char *reason, size_t len);

/* client_fields.c: likewise. */
int sim_h3_fail(sim_client *client, uint64_t error_code, const char *reason);
/* Decodes the field section in |stream->buf|, from |stream->qpack_pos|. */
int sim_h3_read_section(sim_client *client, sim_stream *stream);
/* Hands what the decoder has to say to the decoder stream. */
int sim_h3_flush_decoder(sim_client *client);

/* client_request.c */
int sim_h3_start(sim_client *client);
void sim_h3_settings_received(sim_client *client);
size_t sim_varint_write(uint8_t *dest, uint64_t value);

/* Calls a callback if there is one. */
#define SIM_TELL(CLIENT, NAME, ...)                                            \
  do {                                                                         \
    if ((CLIENT)->config.callbacks.NAME != NULL) {                             \
      (CLIENT)->config.callbacks.NAME((CLIENT), __VA_ARGS__);                  \
    }                                                                          \
  } while (0)

#endif
