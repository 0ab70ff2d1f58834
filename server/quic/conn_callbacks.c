/* SPDX-License-Identifier: Apache-2.0 */
/* What ngtcp2 tells of a connection, and asks for. */
#include "server/quic/conn.h"

#include "server/quic/endpoint.h"
#include "server/quic/protocol.h"
#include "server/quic/stream.h"

#include <string.h>

/* TLS alerts (RFC 8446 section 6; RFC 7301 section 3.2). */
#define ALERT_UNEXPECTED_MESSAGE 10
#define ALERT_NO_APPLICATION_PROTOCOL 120
/* Type and length of a handshake message (RFC 8446 section 4). */
#define MESSAGE_HEAD 4

static int result(int rv) { return rv == 0 ? 0 : NGTCP2_ERR_CALLBACK_FAILURE; }

static void on_rand(uint8_t *dest, size_t destlen,
                    const ngtcp2_rand_ctx *rand_ctx) {
  const cm_random *random = rand_ctx->native_handle;

  /* ngtcp2 uses this for what need not be secret (grease, probing), so a
     failure is no reason to stop. */
  if (random->fill(random->user, dest, destlen) != 0) {
    memset(dest, 0, destlen);
  }
}

static int on_new_connection_id(ngtcp2_conn *ngtcp2, ngtcp2_cid *cid,
                                ngtcp2_stateless_reset_token *token,
                                size_t cidlen, void *user_data) {
  quic_conn *conn = user_data;
  (void)ngtcp2;

  if (conn->random->fill(conn->random->user, cid->data, cidlen) != 0) {
    return NGTCP2_ERR_CALLBACK_FAILURE;
  }
  cid->datalen = cidlen;
  if (ngtcp2_crypto_generate_stateless_reset_token(
          token->data, conn->reset_secret, sizeof(conn->reset_secret), cid) !=
      0) {
    return NGTCP2_ERR_CALLBACK_FAILURE;
  }
  return result(quic_endpoint_add_cid(conn->endpoint, cid, conn));
}

static int on_remove_connection_id(ngtcp2_conn *ngtcp2, const ngtcp2_cid *cid,
                                   void *user_data) {
  quic_conn *conn = user_data;
  (void)ngtcp2;

  quic_endpoint_remove_cid(conn->endpoint, cid);
  return 0;
}

static int on_path_challenge_data(ngtcp2_conn *ngtcp2,
                                  ngtcp2_path_challenge_data *data,
                                  void *user_data) {
  quic_conn *conn = user_data;
  (void)ngtcp2;

  return result(
      conn->random->fill(conn->random->user, data->data, sizeof(data->data)));
}

/*
 * A client that is asked for no certificate has two things to say: ClientHello,
 * and Finished at the Handshake level.  Whatever comes behind, KeyUpdate above
 * all, is forbidden (RFC 9001 section 6), and wolfSSL must not see it: it would
 * carry it out, and ngtcp2 fails an assertion when keys are installed twice.
 */
static int is_expected(quic_conn *conn, ngtcp2_encryption_level level,
                       uint64_t offset, const uint8_t *data, size_t len) {
  uint8_t *head = conn->finished_head;
  size_t i;

  if (level != NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE) {
    return level == NGTCP2_ENCRYPTION_LEVEL_INITIAL;
  }
  for (i = 0; i < len && offset + i < MESSAGE_HEAD; ++i) {
    head[offset + i] = data[i];
  }
  return offset + len <= MESSAGE_HEAD ||
         offset + len <= MESSAGE_HEAD + ((uint64_t)head[1] << 16 |
                                         (uint64_t)head[2] << 8 | head[3]);
}

static int on_crypto_data(ngtcp2_conn *ngtcp2, ngtcp2_encryption_level level,
                          uint64_t offset, const uint8_t *data, size_t len,
                          void *user_data) {
  quic_conn *conn = user_data;

  if (!is_expected(conn, level, offset, data, len)) {
    ngtcp2_ccerr_set_tls_alert(&conn->ccerr, ALERT_UNEXPECTED_MESSAGE, NULL, 0);
    conn->ccerr_set = 1;
    return NGTCP2_ERR_CALLBACK_FAILURE;
  }
  return ngtcp2_crypto_recv_crypto_data_cb(ngtcp2, level, offset, data, len,
                                           user_data);
}

/* The whole ClientHello has been read by now, so ALPN is known. */
static int on_tx_key(ngtcp2_conn *ngtcp2, ngtcp2_encryption_level level,
                     void *user_data) {
  quic_conn *conn = user_data;
  const char *alpn;
  size_t i, len;
  (void)ngtcp2;

  if (level != NGTCP2_ENCRYPTION_LEVEL_1RTT) {
    return 0;
  }
  alpn = tls_session_alpn(conn->tls, &len);
  for (i = 0; i < conn->nservices; ++i) {
    const quic_protocol *protocol = conn->services[i].protocol;

    if (strlen(protocol->alpn) == len &&
        memcmp(protocol->alpn, alpn, len) == 0) {
      if (protocol->open(&conn->protocol_state, conn,
                         conn->services[i].service) != 0) {
        return NGTCP2_ERR_CALLBACK_FAILURE;
      }
      conn->protocol = protocol;
      return 0;
    }
  }
  ngtcp2_ccerr_set_tls_alert(&conn->ccerr, ALERT_NO_APPLICATION_PROTOCOL, NULL,
                             0);
  conn->ccerr_set = 1;
  return NGTCP2_ERR_CALLBACK_FAILURE;
}

/* Gives the client a token for its next connection from |remote|.  It can do
   without, so nothing that goes wrong here matters. */
static void give_token(quic_conn *conn, const ngtcp2_addr *remote) {
  uint8_t token[ADDRESS_TOKEN_MAX];
  size_t len =
      quic_endpoint_new_token(conn->endpoint, token, remote, conn->now);

  if (len) {
    (void)ngtcp2_conn_submit_new_token(conn->ngtcp2, token, len);
  }
}

static int on_handshake_completed(ngtcp2_conn *ngtcp2, void *user_data) {
  quic_conn *conn = user_data;

  conn->end.established = 1;
  quic_endpoint_established(conn->endpoint, conn);
  give_token(conn, &ngtcp2_conn_get_path2(ngtcp2)->remote);
  return 0;
}

static int on_begin_path_validation(ngtcp2_conn *ngtcp2, uint32_t flags,
                                    const ngtcp2_path *path,
                                    const ngtcp2_path *fallback_path,
                                    void *user_data) {
  quic_conn *conn = user_data;
  (void)flags;
  (void)fallback_path;

  path_guard_begin(&conn->guard, path, ngtcp2_conn_get_path2(ngtcp2));
  return 0;
}

static int on_path_validation(ngtcp2_conn *ngtcp2, uint32_t flags,
                              const ngtcp2_path *path,
                              const ngtcp2_path *fallback_path,
                              ngtcp2_path_validation_result res,
                              void *user_data) {
  quic_conn *conn = user_data;
  (void)ngtcp2;
  (void)fallback_path;

  path_guard_end(&conn->guard, path);
  if (res == NGTCP2_PATH_VALIDATION_RESULT_SUCCESS &&
      (flags & NGTCP2_PATH_VALIDATION_FLAG_NEW_TOKEN)) {
    give_token(conn, &path->remote);
  }
  return 0;
}

static int on_stream_open(ngtcp2_conn *ngtcp2, int64_t stream_id,
                          void *user_data) {
  quic_conn *conn = user_data;
  quic_stream *stream;

  if (quic_stream_new(&stream, conn, stream_id) != 0) {
    return NGTCP2_ERR_CALLBACK_FAILURE;
  }
  return result(ngtcp2_conn_set_stream_user_data(ngtcp2, stream_id, stream));
}

static int on_stream_data(ngtcp2_conn *ngtcp2, uint32_t flags,
                          int64_t stream_id, uint64_t offset,
                          const uint8_t *data, size_t len, void *user_data,
                          void *stream_user_data) {
  quic_conn *conn = user_data;
  (void)ngtcp2;
  (void)stream_id;
  (void)offset;

  if (!conn->protocol || !stream_user_data) {
    return NGTCP2_ERR_CALLBACK_FAILURE;
  }
  return result(conn->protocol->on_stream_data(
      conn->protocol_state, stream_user_data, data, len,
      (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0));
}

static int on_stream_acked(ngtcp2_conn *ngtcp2, int64_t stream_id,
                           uint64_t offset, uint64_t datalen, void *user_data,
                           void *stream_user_data) {
  quic_conn *conn = user_data;
  quic_stream *stream = stream_user_data;
  (void)ngtcp2;
  (void)stream_id;
  (void)offset;

  if (!stream) {
    return 0;
  }
  if (stream->pulled) {
    return result(
        conn->protocol->pull_acked(conn->protocol_state, stream, datalen));
  }
  send_queue_acked(&stream->queue, (size_t)datalen, conn->mem);
  if (stream->fin_apart && !stream->queue.pending && !stream->queue.in_flight) {
    stream->fin_apart = 0;
    if (quic_stream_has_work(stream)) {
      quic_stream_ready(stream);
      quic_conn_wake(conn);
    }
  }
  return 0;
}

static int on_stream_close(ngtcp2_conn *ngtcp2, uint32_t flags,
                           int64_t stream_id, uint64_t error_code,
                           void *user_data, void *stream_user_data) {
  quic_conn *conn = user_data;
  quic_stream *stream = stream_user_data;
  int rv = 0;
  (void)flags;

  if (!ngtcp2_conn_is_local_stream2(ngtcp2, stream_id) &&
      !(stream && stream->credit_held)) {
    if (ngtcp2_is_bidi_stream(stream_id)) {
      ngtcp2_conn_extend_max_streams_bidi(ngtcp2, 1);
    } else {
      ngtcp2_conn_extend_max_streams_uni(ngtcp2, 1);
    }
  }
  if (!stream) {
    return 0;
  }
  if (conn->protocol) {
    rv = conn->protocol->on_stream_close(conn->protocol_state, stream,
                                         error_code);
  }
  quic_stream_free(stream);
  return result(rv);
}

static int on_stream_reset(ngtcp2_conn *ngtcp2, int64_t stream_id,
                           uint64_t final_size, uint64_t error_code,
                           void *user_data, void *stream_user_data) {
  quic_conn *conn = user_data;
  (void)ngtcp2;
  (void)stream_id;
  (void)final_size;

  if (!conn->protocol || !stream_user_data) {
    return 0;
  }
  return result(conn->protocol->on_stream_reset(conn->protocol_state,
                                                stream_user_data, error_code));
}

static int on_stop_sending(ngtcp2_conn *ngtcp2, int64_t stream_id,
                           uint64_t error_code, void *user_data,
                           void *stream_user_data) {
  quic_conn *conn = user_data;
  quic_stream *stream = stream_user_data;
  (void)ngtcp2;
  (void)stream_id;

  if (!conn->protocol || !stream) {
    return 0;
  }
  /* ngtcp2 answers with RESET_STREAM by itself. */
  stream->write_closed = 1;
  quic_stream_not_ready(stream);
  return result(conn->protocol->on_stop_sending(conn->protocol_state, stream,
                                                error_code));
}

static int on_extend_max_stream_data(ngtcp2_conn *ngtcp2, int64_t stream_id,
                                     uint64_t max_data, void *user_data,
                                     void *stream_user_data) {
  quic_conn *conn = user_data;
  quic_stream *stream = stream_user_data;
  (void)ngtcp2;
  (void)stream_id;
  (void)max_data;

  if (!conn->protocol || !stream) {
    return 0;
  }
  if (stream->pulled) {
    return result(conn->protocol->pull_unblock(conn->protocol_state, stream));
  }
  if (quic_stream_has_work(stream)) {
    quic_stream_ready(stream);
  }
  return 0;
}

static int on_streams_bidi(ngtcp2_conn *ngtcp2, uint64_t max_streams,
                           void *user_data) {
  quic_conn *conn = user_data;
  (void)ngtcp2;
  (void)max_streams;

  return conn->protocol ? result(conn->protocol->on_streams_available(
                              conn->protocol_state, 1))
                        : 0;
}

static int on_streams_uni(ngtcp2_conn *ngtcp2, uint64_t max_streams,
                          void *user_data) {
  quic_conn *conn = user_data;
  (void)ngtcp2;
  (void)max_streams;

  return conn->protocol ? result(conn->protocol->on_streams_available(
                              conn->protocol_state, 0))
                        : 0;
}

static int on_datagram(ngtcp2_conn *ngtcp2, uint32_t flags, const uint8_t *data,
                       size_t len, void *user_data) {
  quic_conn *conn = user_data;
  (void)ngtcp2;
  (void)flags;

  return conn->protocol ? result(conn->protocol->on_datagram(
                              conn->protocol_state, data, len))
                        : 0;
}

const ngtcp2_callbacks quic_conn_callbacks = {
    .recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
    .recv_crypto_data = on_crypto_data,
    .handshake_completed = on_handshake_completed,
    .encrypt = ngtcp2_crypto_encrypt_cb,
    .decrypt = ngtcp2_crypto_decrypt_cb,
    .hp_mask = ngtcp2_crypto_hp_mask_cb,
    .recv_stream_data = on_stream_data,
    .acked_stream_data_offset = on_stream_acked,
    .stream_open = on_stream_open,
    .stream_close = on_stream_close,
    .rand = on_rand,
    .get_new_connection_id2 = on_new_connection_id,
    .remove_connection_id = on_remove_connection_id,
    .update_key = ngtcp2_crypto_update_key_cb,
    .path_validation = on_path_validation,
    .stream_reset = on_stream_reset,
    .recv_stop_sending = on_stop_sending,
    .extend_max_local_streams_bidi = on_streams_bidi,
    .extend_max_local_streams_uni = on_streams_uni,
    .extend_max_stream_data = on_extend_max_stream_data,
    .delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
    .delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
    .recv_datagram = on_datagram,
    .get_path_challenge_data2 = on_path_challenge_data,
    .version_negotiation = ngtcp2_crypto_version_negotiation_cb,
    .recv_tx_key = on_tx_key,
    .begin_path_validation = on_begin_path_validation};
