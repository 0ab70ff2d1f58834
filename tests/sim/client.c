/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/client_internal.h"

static void *default_malloc(size_t size, void *user) {
  (void)user;
  return malloc(size);
}

static void default_free(void *ptr, void *user) {
  (void)user;
  free(ptr);
}

static void *default_calloc(size_t n, size_t size, void *user) {
  (void)user;
  return calloc(n, size);
}

static void *default_realloc(void *ptr, size_t size, void *user) {
  (void)user;
  return realloc(ptr, size);
}

void *sim_alloc(sim_client *client, size_t size) {
  return client->mem.calloc(1, size, client->mem.user_data);
}

void sim_dealloc(sim_client *client, void *ptr) {
  client->mem.free(ptr, client->mem.user_data);
}

void sim_client_over(sim_client *client, sim_closed_by by, int local,
                     uint64_t error_code, const uint8_t *reason, size_t len) {
  if (client->is_closed) {
    return;
  }
  if (len > sizeof(client->reason)) {
    len = sizeof(client->reason);
  }
  if (len > 0) {
    memcpy(client->reason, reason, len);
  }
  client->is_closed = 1;
  client->closed.by = by;
  client->closed.local = local;
  client->closed.error_code = error_code;
  client->closed.reason = client->reason;
  client->closed.reason_len = len;
  SIM_TELL(client, closed, &client->closed, client->config.user);
}

static void close_with(sim_client *client) {
  const ngtcp2_ccerr *err = &client->ccerr;

  client->close_pending = 1;
  client->close_repeats = 3;
  sim_client_over(client,
                  err->type == NGTCP2_CCERR_TYPE_APPLICATION
                      ? SIM_CLOSED_APPLICATION
                      : SIM_CLOSED_TRANSPORT,
                  1, err->error_code, err->reason, err->reasonlen);
  /* The packet is written later: the reason must live as long. */
  client->ccerr.reason = (const uint8_t *)client->reason;
  client->ccerr.reasonlen = client->closed.reason_len;
}

void sim_client_fail(sim_client *client, int application, uint64_t error_code,
                     const char *reason) {
  size_t len = reason == NULL ? 0 : strlen(reason);

  if (client->is_closed) {
    return;
  }
  if (application) {
    ngtcp2_ccerr_set_application_error(&client->ccerr, error_code,
                                       (const uint8_t *)reason, len);
  } else {
    ngtcp2_ccerr_set_transport_error(&client->ccerr, error_code,
                                     (const uint8_t *)reason, len);
  }
  close_with(client);
}

void sim_client_close(sim_client *client, uint64_t error_code,
                      const char *reason) {
  sim_client_fail(client, 1, error_code, reason);
}

/* ngtcp2's callbacks */

/* After the handshake a server sends session tickets.  Nothing is resumed
   here, and wolfSSL takes those with a nonce of more than 8 octets (rustls
   has 32) for an error. */
static int on_crypto_data(ngtcp2_conn *conn, ngtcp2_encryption_level level,
                          uint64_t offset, const uint8_t *data, size_t len,
                          void *user) {
  return level == NGTCP2_ENCRYPTION_LEVEL_1RTT
             ? 0
             : ngtcp2_crypto_recv_crypto_data_cb(conn, level, offset, data, len,
                                                 user);
}

static int on_handshake_completed(ngtcp2_conn *conn, void *user) {
  sim_client *client = user;
  char *name = NULL;
  unsigned short len = 0;

  (void)conn;
  if (wolfSSL_ALPN_GetProtocol(client->ssl, &name, &len) == WOLFSSL_SUCCESS &&
      len < sizeof(client->alpn)) {
    memcpy(client->alpn, name, len);
    client->alpn[len] = '\0';
  }
  client->handshake_done = 1;
  if (client->config.mode == SIM_MODE_H3 && sim_h3_start(client) != 0) {
    return NGTCP2_ERR_CALLBACK_FAILURE;
  }
  SIM_TELL(client, handshake_done, client->config.user);
  return client->is_closed ? NGTCP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_handshake_confirmed(ngtcp2_conn *conn, void *user) {
  sim_client *client = user;

  (void)conn;
  SIM_TELL(client, handshake_confirmed, client->config.user);
  return client->is_closed ? NGTCP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_version_negotiation(ngtcp2_conn *conn, const ngtcp2_pkt_hd *hd,
                                  const uint32_t *sv, size_t nsv, void *user) {
  (void)conn;
  (void)hd;
  (void)sv;
  (void)nsv;
  sim_client_over(user, SIM_CLOSED_VERSION, 0, 0, NULL, 0);
  return 0;
}

static int on_stateless_reset(ngtcp2_conn *conn,
                              const ngtcp2_pkt_stateless_reset2 *sr,
                              void *user) {
  (void)conn;
  (void)sr;
  sim_client_over(user, SIM_CLOSED_RESET, 0, 0, NULL, 0);
  return 0;
}

static int on_stream_open(ngtcp2_conn *conn, int64_t id, void *user) {
  sim_client *client = user;
  int raw = client->config.mode == SIM_MODE_RAW;
  sim_stream *stream;

  (void)conn;
  stream =
      sim_stream_add(client, id, raw ? SIM_STREAM_RAW : SIM_STREAM_UNTYPED);
  if (stream == NULL) {
    return NGTCP2_ERR_CALLBACK_FAILURE;
  }
  if (raw) {
    SIM_TELL(client, stream_opened, id, SIM_NO_SESSION, client->config.user);
  }
  return 0;
}

static int on_stream_data(ngtcp2_conn *conn, uint32_t flags, int64_t id,
                          uint64_t offset, const uint8_t *data, size_t len,
                          void *user, void *stream_user) {
  sim_client *client = user;
  sim_stream *stream = stream_user;
  int fin = (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0;

  (void)offset;
  (void)conn;
  if (stream == NULL) {
    return 0;
  }
  if (!client->config.hold_windows &&
      sim_stream_credit(client, stream, len) != 0) {
    return NGTCP2_ERR_CALLBACK_FAILURE;
  }
  if (stream->kind == SIM_STREAM_RAW) {
    SIM_TELL(client, stream_data, id, data, len, fin, client->config.user);
  } else if (sim_h3_receive(client, stream, data, len, fin) != 0) {
    return NGTCP2_ERR_CALLBACK_FAILURE;
  }
  return client->is_closed ? NGTCP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_stream_acked(ngtcp2_conn *conn, int64_t id, uint64_t offset,
                           uint64_t len, void *user, void *stream_user) {
  (void)conn;
  (void)id;
  if (stream_user != NULL) {
    sim_stream_acked(user, stream_user, offset + len);
  }
  return 0;
}

static int on_stream_close(ngtcp2_conn *conn, uint32_t flags, int64_t id,
                           uint64_t error_code, void *user, void *stream_user) {
  sim_client *client = user;
  sim_stream *stream = stream_user;

  (void)flags;
  (void)error_code;
  if (!ngtcp2_conn_is_local_stream2(conn, id)) {
    if (ngtcp2_is_bidi_stream(id)) {
      ngtcp2_conn_extend_max_streams_bidi(conn, 1);
    } else {
      ngtcp2_conn_extend_max_streams_uni(conn, 1);
    }
  }
  if (stream == NULL) {
    return 0;
  }
  if (stream->kind == SIM_STREAM_SESSION && !stream->session_over) {
    sim_h3_session_over(client, stream, 1, 0, NULL, 0);
  }
  SIM_TELL(client, stream_closed, id, client->config.user);
  ngtcp2_conn_set_stream_user_data(conn, id, NULL);
  sim_stream_free(client, stream);
  return 0;
}

static int on_stream_reset(ngtcp2_conn *conn, int64_t id, uint64_t final_size,
                           uint64_t error_code, void *user, void *stream_user) {
  sim_client *client = user;
  sim_stream *stream = stream_user;

  (void)conn;
  (void)final_size;
  if (stream == NULL) {
    return 0;
  }
  if (stream->kind == SIM_STREAM_CONTROL ||
      stream->kind == SIM_STREAM_QPACK_ENCODER ||
      stream->kind == SIM_STREAM_QPACK_DECODER) {
    sim_client_fail(client, 1, SIM_H3_CLOSED_CRITICAL_STREAM, "reset");
    return NGTCP2_ERR_CALLBACK_FAILURE;
  }
  SIM_TELL(client, stream_reset, id, error_code, client->config.user);
  if (stream->kind == SIM_STREAM_SESSION && !stream->session_over) {
    sim_h3_session_over(client, stream, 1, 0, NULL, 0);
  }
  return 0;
}

static int on_stop_sending(ngtcp2_conn *conn, int64_t id, uint64_t error_code,
                           void *user, void *stream_user) {
  sim_client *client = user;

  (void)conn;
  (void)stream_user;
  SIM_TELL(client, stream_stopped, id, error_code, client->config.user);
  return 0;
}

static int on_max_stream_data(ngtcp2_conn *conn, int64_t id, uint64_t max,
                              void *user, void *stream_user) {
  sim_stream *stream = stream_user;

  (void)conn;
  (void)id;
  (void)max;
  if (stream != NULL && stream->blocked) {
    stream->blocked = 0;
    sim_stream_queue(user, stream);
  }
  return 0;
}

static int on_max_streams(ngtcp2_conn *conn, uint64_t max, void *user) {
  sim_client *client = user;

  (void)conn;
  (void)max;
  if (client->handshake_done) {
    SIM_TELL(client, streams_available, client->config.user);
  }
  return 0;
}

static int on_datagram(ngtcp2_conn *conn, uint32_t flags, const uint8_t *data,
                       size_t len, void *user) {
  sim_client *client = user;

  (void)conn;
  (void)flags;
  if (client->config.mode == SIM_MODE_RAW) {
    SIM_TELL(client, datagram, SIM_NO_SESSION, data, len, client->config.user);
    return 0;
  }
  return sim_h3_datagram(client, data, len) == 0 ? 0
                                                 : NGTCP2_ERR_CALLBACK_FAILURE;
}

static void on_rand(uint8_t *dest, size_t len, const ngtcp2_rand_ctx *ctx) {
  sim_random_fill(ctx->native_handle, dest, len);
}

static int on_new_connection_id(ngtcp2_conn *conn, ngtcp2_cid *cid,
                                ngtcp2_stateless_reset_token *token,
                                size_t cidlen, void *user) {
  sim_client *client = user;

  (void)conn;
  cid->datalen = cidlen;
  sim_random_fill(client->config.random, cid->data, cidlen);
  sim_random_fill(client->config.random, token->data, sizeof(token->data));
  return 0;
}

static int on_path_challenge(ngtcp2_conn *conn,
                             ngtcp2_path_challenge_data *data, void *user) {
  sim_client *client = user;

  (void)conn;
  sim_random_fill(client->config.random, data->data, sizeof(data->data));
  return 0;
}

static const ngtcp2_callbacks callbacks = {
    .client_initial = ngtcp2_crypto_client_initial_cb,
    .recv_crypto_data = on_crypto_data,
    .handshake_completed = on_handshake_completed,
    .handshake_confirmed = on_handshake_confirmed,
    .recv_version_negotiation = on_version_negotiation,
    .encrypt = sim_wire_encrypt,
    .decrypt = ngtcp2_crypto_decrypt_cb,
    .hp_mask = ngtcp2_crypto_hp_mask_cb,
    .recv_stream_data = on_stream_data,
    .acked_stream_data_offset = on_stream_acked,
    .stream_open = on_stream_open,
    .stream_close = on_stream_close,
    .recv_retry = ngtcp2_crypto_recv_retry_cb,
    .extend_max_local_streams_bidi = on_max_streams,
    .extend_max_local_streams_uni = on_max_streams,
    .rand = on_rand,
    .update_key = ngtcp2_crypto_update_key_cb,
    .stream_reset = on_stream_reset,
    .extend_max_stream_data = on_max_stream_data,
    .delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
    .delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
    .recv_datagram = on_datagram,
    .version_negotiation = ngtcp2_crypto_version_negotiation_cb,
    .recv_stateless_reset2 = on_stateless_reset,
    .get_new_connection_id2 = on_new_connection_id,
    .get_path_challenge_data2 = on_path_challenge,
    .recv_stop_sending = on_stop_sending,
    .recv_new_token = sim_wire_on_token,
};

/* Life */

static void set_defaults(sim_client *client) {
  sim_client_config *config = &client->config;

#define DEFAULT(FIELD, VALUE)                                                  \
  do {                                                                         \
    if (config->FIELD == 0) {                                                  \
      config->FIELD = (VALUE);                                                 \
    }                                                                          \
  } while (0)
  DEFAULT(version, NGTCP2_PROTO_VER_V1);
  DEFAULT(stream_window, 6 * 1024 * 1024);
  DEFAULT(window, 15 * 1024 * 1024);
  DEFAULT(max_streams, 100);
  DEFAULT(idle_timeout, 30 * NGTCP2_SECONDS);
  DEFAULT(handshake_timeout, 10 * NGTCP2_SECONDS);
  DEFAULT(datagram_queue, 64);
#undef DEFAULT
}

static int new_conn(sim_client *client, uint64_t now) {
  const sim_client_config *config = &client->config;
  ngtcp2_transport_params params;
  ngtcp2_settings settings;
  ngtcp2_cid dcid, scid;

  ngtcp2_settings_default(&settings);
  settings.initial_ts = now;
  settings.handshake_timeout = config->handshake_timeout;
  settings.rand_ctx.native_handle = config->random;
  settings.log_write = config->log;
  settings.token = config->token;
  settings.tokenlen = config->token_len;
  settings.max_window = config->window;
  settings.max_stream_window = config->stream_window;
  if (config->max_udp_payload != 0) {
    settings.max_tx_udp_payload_size = config->max_udp_payload;
    settings.no_pmtud = 1;
  }

  ngtcp2_transport_params_default(&params);
  params.initial_max_stream_data_bidi_local = config->stream_window;
  params.initial_max_stream_data_bidi_remote = config->stream_window;
  params.initial_max_stream_data_uni = config->stream_window;
  params.initial_max_data = config->window;
  params.initial_max_streams_bidi = config->max_streams;
  /* Three more for the server's control and QPACK streams. */
  params.initial_max_streams_uni = config->max_streams + 3;
  params.max_idle_timeout = config->idle_timeout;
  params.max_datagram_frame_size = config->no_datagrams ? 0 : 65535;

  dcid.datalen = 8;
  sim_random_fill(config->random, dcid.data, dcid.datalen);
  scid.datalen = config->scid_len;
  sim_random_fill(config->random, scid.data, scid.datalen);
  if (ngtcp2_conn_client_new(&client->conn, &dcid, &scid, &client->path.path,
                             config->version, &callbacks, &settings, &params,
                             &client->mem, client) != 0) {
    return SIM_ERR_NOMEM;
  }
  ngtcp2_conn_set_tls_native_handle(client->conn, client->ssl);
  return 0;
}

int sim_client_new(sim_client **pclient, const sim_client_config *config,
                   uint64_t now) {
  static const ngtcp2_mem default_mem = {NULL, default_malloc, default_free,
                                         default_calloc, default_realloc};
  const ngtcp2_mem *mem = config->mem == NULL ? &default_mem : config->mem;
  sim_client *client;
  int rv = SIM_ERR_NOMEM;

  if (config->nhashes > SIM_MAX_HASHES || config->tls == NULL ||
      config->random == NULL || config->path == NULL || config->alpn == NULL ||
      config->scid_len > NGTCP2_MAX_CIDLEN) {
    return SIM_ERR_INVALID;
  }
  client = mem->calloc(1, sizeof(*client), mem->user_data);
  if (client == NULL) {
    return SIM_ERR_NOMEM;
  }
  client->mem = *mem;
  client->h3mem.user_data = mem->user_data;
  client->h3mem.malloc = mem->malloc;
  client->h3mem.free = mem->free;
  client->h3mem.calloc = mem->calloc;
  client->h3mem.realloc = mem->realloc;
  client->config = *config;
  set_defaults(client);
  if (config->nhashes > 0) {
    memcpy(client->hashes, config->hashes, config->nhashes * 32);
  }
  ngtcp2_path_storage_zero(&client->path);
  ngtcp2_path_copy(&client->path.path, config->path);
  ngtcp2_ccerr_default(&client->ccerr);

  client->slots =
      sim_alloc(client, client->config.datagram_queue * sizeof(sim_slot));
  if (client->slots == NULL) {
    goto fail;
  }
  rv = sim_tls_attach(client);
  if (rv != 0) {
    goto fail;
  }
  rv = new_conn(client, now);
  if (rv != 0) {
    goto fail;
  }
  *pclient = client;
  return 0;

fail:
  sim_client_free(client);
  return rv;
}

void sim_client_free(sim_client *client) {
  if (client == NULL) {
    return;
  }
  while (client->streams != NULL) {
    sim_stream_free(client, client->streams);
  }
  sim_slots_free(client);
  ngtcp2_conn_del(client->conn);
  wolfSSL_free(client->ssl);
  nghttp3_qpack_encoder_del(client->encoder);
  nghttp3_qpack_decoder_del(client->decoder);
  sim_dealloc(client, client);
}

static void peer_closed(sim_client *client) {
  const ngtcp2_ccerr *err = ngtcp2_conn_get_ccerr2(client->conn);

  sim_client_over(client,
                  err->type == NGTCP2_CCERR_TYPE_APPLICATION
                      ? SIM_CLOSED_APPLICATION
                      : SIM_CLOSED_TRANSPORT,
                  0, err->error_code, err->reason, err->reasonlen);
}

void sim_client_receive(sim_client *client, const uint8_t *data, size_t len,
                        uint64_t now) {
  ngtcp2_pkt_info pi = {0};
  int rv;

  if (client->is_closed) {
    /* RFC 9000 section 10.2.1: answer with the same packet, not for ever. */
    if (client->closed.local && client->close_repeats > 0) {
      --client->close_repeats;
      client->close_pending = 1;
    }
    return;
  }
  rv = ngtcp2_conn_read_pkt(client->conn, &client->path.path, &pi, data, len,
                            now);
  if (rv == 0 || client->is_closed) {
    return;
  }
  switch (rv) {
  case NGTCP2_ERR_DRAINING:
    peer_closed(client);
    return;
  case NGTCP2_ERR_CLOSING:
    return;
  case NGTCP2_ERR_DROP_CONN:
    sim_client_over(client, SIM_CLOSED_DROPPED, 0, 0, NULL, 0);
    return;
  case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
    sim_client_over(client, SIM_CLOSED_VERSION, 0, 0, NULL, 0);
    return;
  case NGTCP2_ERR_CRYPTO:
    ngtcp2_ccerr_set_tls_alert(
        &client->ccerr, ngtcp2_conn_get_tls_alert2(client->conn), NULL, 0);
    break;
  default:
    ngtcp2_ccerr_set_liberr(&client->ccerr, rv, NULL, 0);
    break;
  }
  close_with(client);
}

uint64_t sim_client_deadline(const sim_client *client) {
  if (client->is_closed) {
    return client->close_pending ? 0 : UINT64_MAX;
  }
  return ngtcp2_conn_get_expiry2(client->conn);
}

const sim_closed *sim_client_closed(const sim_client *client) {
  return client->is_closed ? &client->closed : NULL;
}

int sim_client_handshake_done(const sim_client *client) {
  return client->handshake_done;
}

const uint8_t *sim_client_certificate(const sim_client *client) {
  return client->certificate_seen ? client->certificate : NULL;
}

const char *sim_client_alpn(const sim_client *client) { return client->alpn; }

int sim_client_setting(const sim_client *client, uint64_t id, uint64_t *value) {
  size_t i;

  for (i = 0; i < client->nsettings; ++i) {
    if (client->settings[i].id == id) {
      *value = client->settings[i].value;
      return 1;
    }
  }
  return 0;
}

ngtcp2_conn *sim_client_conn(sim_client *client) { return client->conn; }

void *sim_client_user(sim_client *client) { return client->config.user; }
