/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's life: accept, read, expire, close.  Writing: conn_write.c;
   what ngtcp2 tells: conn_callbacks.c. */
#include "server/quic/conn.h"

#include "server/quic/endpoint.h"
#include "server/quic/protocol.h"
#include "server/quic/stream.h"

#include <string.h>

#define CLOSE_PACKET_MAX 1200

static ngtcp2_conn *get_conn(ngtcp2_crypto_conn_ref *ref) {
  return ((quic_conn *)ref->user_data)->ngtcp2;
}

int quic_conn_new(quic_conn **pconn, const quic_conn_config *config,
                  const ngtcp2_path *path, const ngtcp2_pkt_hd *hd,
                  uint64_t now) {
  const quic_conn_limits *limits = config->limits;
  ngtcp2_settings settings;
  ngtcp2_transport_params params;
  quic_conn *conn;

  *pconn = NULL;
  conn = config->mem->calloc(1, sizeof(*conn), config->mem->user_data);
  if (!conn) {
    return QUIC_ERR_NOMEM;
  }
  conn->ref.get_conn = get_conn;
  conn->ref.user_data = conn;
  conn->endpoint = config->endpoint;
  quic_memory_init(&conn->memory, config->mem, config->memory,
                   limits->memory ? limits->memory : QUIC_CONN_MEMORY);
  conn->mem = &conn->memory.mem;
  conn->random = config->random;
  conn->services = config->services;
  conn->nservices = config->nservices;
  conn->number = config->number;
  conn->now = now;
  conn->client_dcid = hd->dcid;
  conn->ready_tail = &conn->ready_head;
  conn->datagram_tail = &conn->datagram_head;
  conn->timer.index = TIMER_NOT_QUEUED;
  ngtcp2_ccerr_default(&conn->ccerr);
  memcpy(conn->reset_secret, config->reset_secret, QUIC_RESET_SECRETLEN);

  ngtcp2_settings_default(&settings);
  settings.initial_ts = now;
  settings.handshake_timeout = limits->handshake_timeout;
  settings.rand_ctx.native_handle = (void *)(uintptr_t)config->random;
  if (config->address != ADDRESS_UNKNOWN) {
    /* ngtcp2 takes any token as proof of the client's address, and sends as
       much as it likes. */
    settings.token = hd->token;
    settings.tokenlen = hd->tokenlen;
    settings.token_type = config->address == ADDRESS_BY_RETRY
                              ? NGTCP2_TOKEN_TYPE_RETRY
                              : NGTCP2_TOKEN_TYPE_NEW_TOKEN;
  }

  ngtcp2_transport_params_default(&params);
  params.initial_max_stream_data_bidi_local = limits->stream_window;
  params.initial_max_stream_data_bidi_remote = limits->stream_window;
  params.initial_max_stream_data_uni = limits->stream_window;
  params.initial_max_data = limits->connection_window;
  params.initial_max_streams_bidi = limits->streams_bidi;
  params.initial_max_streams_uni = limits->streams_uni;
  params.max_idle_timeout = limits->idle_timeout;
  params.max_udp_payload_size = UDP_RECEIVE_MAX;
  params.max_datagram_frame_size = 65535;
  params.active_connection_id_limit = 4;
  params.original_dcid = hd->dcid;
  params.original_dcid_present = 1;
  if (config->address == ADDRESS_BY_RETRY) {
    params.original_dcid = config->odcid;
    params.retry_scid = hd->dcid;
    params.retry_scid_present = 1;
  }
  params.stateless_reset_token_present = 1;
  if (ngtcp2_crypto_generate_stateless_reset_token(
          params.stateless_reset_token, conn->reset_secret,
          sizeof(conn->reset_secret), &config->scid) != 0) {
    goto fail_conn;
  }

  if (ngtcp2_conn_server_new(&conn->ngtcp2, &hd->scid, &config->scid, path,
                             hd->version, &quic_conn_callbacks, &settings,
                             &params, conn->mem, conn) != 0) {
    goto fail_conn;
  }
  if (tls_session_new(&conn->tls, config->tls, &conn->ref) != 0) {
    goto fail_ngtcp2;
  }
  ngtcp2_conn_set_tls_native_handle(conn->ngtcp2,
                                    tls_session_native_handle(conn->tls));
  *pconn = conn;
  return 0;

fail_ngtcp2:
  ngtcp2_conn_del(conn->ngtcp2);
fail_conn:
  config->mem->free(conn, config->mem->user_data);
  return QUIC_ERR_NOMEM;
}

/* Takes the protocol down and frees what it had on its way out. */
static void end_protocol(quic_conn *conn) {
  const quic_protocol *protocol = conn->protocol;
  quic_stream *stream;

  conn->protocol = NULL;
  if (protocol) {
    protocol->close(conn->protocol_state);
    conn->protocol_state = NULL;
  }
  /* ngtcp2 may still point into the queues: they go with quic_conn_free(). */
  for (stream = conn->streams; stream; stream = stream->all_next) {
    quic_stream_not_ready(stream);
  }
  while (conn->datagram_head) {
    quic_datagram_pop(conn);
  }
}

/* From QUIC_CONN_OPEN to another state. */
static void leave_open(quic_conn *conn, quic_conn_state state) {
  if (conn->state == QUIC_CONN_OPEN) {
    quic_endpoint_ended(conn->endpoint, conn);
  }
  conn->state = state;
}

/* All that an open connection consists of. */
static void free_substance(quic_conn *conn) {
  ngtcp2_conn_del(conn->ngtcp2);
  conn->ngtcp2 = NULL;
  tls_session_free(conn->tls);
  conn->tls = NULL;
  while (conn->streams) {
    quic_stream_free(conn->streams);
  }
}

size_t quic_conn_scids(const quic_conn *conn, ngtcp2_cid *scids) {
  if (conn->ngtcp2) {
    return ngtcp2_conn_get_scid2(conn->ngtcp2, scids);
  }
  if (scids) {
    memcpy(scids, conn->scids, conn->nscids * sizeof(*scids));
  }
  return conn->nscids;
}

void quic_conn_shrink(quic_conn *conn) {
  const ngtcp2_mem *mem = conn->memory.base;
  size_t n;

  if (!conn->ngtcp2 ||
      (conn->state != QUIC_CONN_CLOSING && conn->state != QUIC_CONN_DRAINING)) {
    return;
  }
  n = ngtcp2_conn_get_scid2(conn->ngtcp2, NULL);
  conn->scids = mem->malloc(n * sizeof(*conn->scids), mem->user_data);
  if (!conn->scids) {
    /* It stays as large as it is for as long as it lasts. */
    return;
  }
  conn->nscids = ngtcp2_conn_get_scid2(conn->ngtcp2, conn->scids);
  conn->end.reason = NULL;
  conn->end.reason_len = 0;
  free_substance(conn);
}

void quic_conn_free(quic_conn *conn) {
  const ngtcp2_mem *mem = conn->memory.base;

  end_protocol(conn);
  leave_open(conn, QUIC_CONN_DEAD);
  free_substance(conn);
  mem->free(conn->scids, mem->user_data);
  mem->free(conn->close_packet, mem->user_data);
  ngtcp2_secure_clear(conn->reset_secret, sizeof(conn->reset_secret));
  mem->free(conn, mem->user_data);
}

static void drain(quic_conn *conn, uint64_t now) {
  const ngtcp2_ccerr *ccerr = ngtcp2_conn_get_ccerr2(conn->ngtcp2);

  leave_open(conn, QUIC_CONN_DRAINING);
  conn->close_deadline = now + 3 * ngtcp2_conn_get_pto2(conn->ngtcp2);
  conn->end.by_peer = 1;
  conn->end.type = ccerr->type;
  conn->end.error_code = ccerr->error_code;
  conn->end.reason = ccerr->reason;
  conn->end.reason_len = ccerr->reasonlen;
  end_protocol(conn);
}

/* What an error of ngtcp2 means for the peer. */
static void close_for(quic_conn *conn, int liberr, uint64_t now) {
  ngtcp2_ccerr ccerr;

  if (conn->ccerr_set) {
    quic_conn_close(conn, NULL, now);
    return;
  }
  ngtcp2_ccerr_default(&ccerr);
  if (liberr == NGTCP2_ERR_CRYPTO) {
    ngtcp2_ccerr_set_tls_alert(&ccerr, ngtcp2_conn_get_tls_alert2(conn->ngtcp2),
                               NULL, 0);
  } else {
    ngtcp2_ccerr_set_liberr(&ccerr, liberr, NULL, 0);
  }
  quic_conn_close(conn, &ccerr, now);
}

/* Says CONNECTION_CLOSE again, to fewer and fewer packets (RFC 9000 section
   10.2.1), and never more than three times what came (section 8.1). */
static void read_closing(quic_conn *conn, size_t len) {
  conn->close_credit += 3 * len;
  if (++conn->close_received < conn->close_next ||
      conn->close_credit < conn->close_packet_len) {
    return;
  }
  conn->close_credit -= conn->close_packet_len;
  conn->close_received = 0;
  conn->close_next *= 2;
  conn->close_due = 1;
  quic_conn_wake(conn);
}

/* Nothing more is said to TLS (see is_expected()), and an idle connection
   shall be small.  Keys live in ngtcp2. */
static void finish_tls(quic_conn *conn) {
  if (!conn->end.established || conn->tls_finished) {
    return;
  }
  conn->tls_finished = 1;
  ngtcp2_conn_set_tls_native_handle(conn->ngtcp2, NULL);
  tls_session_finish(conn->tls);
}

int quic_conn_read(quic_conn *conn, const ngtcp2_path *path,
                   const ngtcp2_pkt_info *pi, const uint8_t *data, size_t len,
                   uint64_t now) {
  int rv;

  conn->now = now;
  if (conn->state == QUIC_CONN_CLOSING) {
    /* What comes from elsewhere must not be answered to an address that may
       never have been validated (section 10.2.1). */
    if (ngtcp2_path_eq(path, &conn->close_path.path)) {
      read_closing(conn, len);
    }
    return 0;
  }
  if (conn->state != QUIC_CONN_OPEN) {
    return 0;
  }
  rv = ngtcp2_conn_read_pkt(conn->ngtcp2, path, pi, data, len, now);
  path_guard_received(&conn->guard, path, ngtcp2_conn_get_path2(conn->ngtcp2),
                      len);
  finish_tls(conn);
  quic_conn_wake(conn);
  switch (rv) {
  case 0:
    if (conn->ccerr_set) {
      quic_conn_close(conn, NULL, now);
    }
    break;
  case NGTCP2_ERR_DRAINING:
    drain(conn, now);
    break;
  case NGTCP2_ERR_RETRY:
    conn->retried = 1;
    leave_open(conn, QUIC_CONN_DEAD);
    return QUIC_ERR_RETRY;
  case NGTCP2_ERR_DROP_CONN:
    leave_open(conn, QUIC_CONN_DEAD);
    break;
  default:
    close_for(conn, rv, now);
    break;
  }
  return 0;
}

/* When the protocol has something to do. */
static uint64_t protocol_deadline(const quic_conn *conn) {
  return conn->protocol && conn->protocol->deadline
             ? conn->protocol->deadline(conn->protocol_state)
             : UINT64_MAX;
}

uint64_t quic_conn_deadline(const quic_conn *conn) {
  uint64_t expiry, own;

  switch (conn->state) {
  case QUIC_CONN_OPEN:
    expiry = ngtcp2_conn_get_expiry2(conn->ngtcp2);
    own = protocol_deadline(conn);
    return own < expiry ? own : expiry;
  case QUIC_CONN_CLOSING:
  case QUIC_CONN_DRAINING:
    return conn->close_deadline;
  default:
    return 0;
  }
}

void quic_conn_expire(quic_conn *conn, uint64_t now) {
  int rv;

  conn->now = now;
  if (conn->state != QUIC_CONN_OPEN) {
    if (now >= conn->close_deadline) {
      conn->state = QUIC_CONN_DEAD;
    }
    return;
  }
  rv = ngtcp2_conn_handle_expiry(conn->ngtcp2, now);
  if (rv == 0 && now >= protocol_deadline(conn) &&
      conn->protocol->expire(conn->protocol_state, now) != 0) {
    rv = NGTCP2_ERR_CALLBACK_FAILURE;
  }
  switch (rv) {
  case 0:
    break;
  case NGTCP2_ERR_IDLE_CLOSE:
  case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
    /* Closed in silence (RFC 9000 section 10.1). */
    conn->end.idle = 1;
    leave_open(conn, QUIC_CONN_DEAD);
    break;
  default:
    close_for(conn, rv, now);
    break;
  }
  quic_conn_wake(conn);
}

void quic_conn_close(quic_conn *conn, const ngtcp2_ccerr *ccerr, uint64_t now) {
  ngtcp2_pkt_info pi;
  ngtcp2_ssize n;

  if (conn->state != QUIC_CONN_OPEN) {
    return;
  }
  if (!ccerr) {
    ccerr = &conn->ccerr;
  }
  conn->end.type = ccerr->type;
  conn->end.error_code = ccerr->error_code;
  end_protocol(conn);
  leave_open(conn, QUIC_CONN_DEAD);
  conn->close_packet =
      conn->memory.base->malloc(CLOSE_PACKET_MAX, conn->memory.base->user_data);
  if (!conn->close_packet) {
    return;
  }
  ngtcp2_path_storage_zero(&conn->close_path);
  n = ngtcp2_conn_write_connection_close(conn->ngtcp2, &conn->close_path.path,
                                         &pi, conn->close_packet,
                                         CLOSE_PACKET_MAX, ccerr, now);
  if (n <= 0) {
    /* No keys yet to say it with: the peer gets silence. */
    return;
  }
  conn->close_packet_len = (size_t)n;
  conn->close_deadline = now + 3 * ngtcp2_conn_get_pto2(conn->ngtcp2);
  conn->close_next = 1;
  conn->close_due = 1;
  conn->state = QUIC_CONN_CLOSING;
  quic_conn_wake(conn);
}

int quic_conn_fail(quic_conn *conn, uint64_t error_code, const char *reason) {
  if (!conn->ccerr_set) {
    ngtcp2_ccerr_set_application_error(&conn->ccerr, error_code,
                                       (const uint8_t *)reason, strlen(reason));
    conn->ccerr_set = 1;
  }
  return QUIC_ERR_FAILED;
}

int quic_conn_finish(quic_conn *conn) {
  if (!conn->ccerr_set) {
    ngtcp2_ccerr_default(&conn->ccerr);
    conn->ccerr_set = 1;
  }
  return QUIC_ERR_FAILED;
}

void quic_conn_wake(quic_conn *conn) {
  quic_endpoint_wake(conn->endpoint, conn);
}

void quic_conn_keep_alive(quic_conn *conn) {
  const ngtcp2_transport_params *local =
      ngtcp2_conn_get_local_transport_params2(conn->ngtcp2);
  const ngtcp2_transport_params *remote =
      ngtcp2_conn_get_remote_transport_params2(conn->ngtcp2);
  uint64_t idle = local->max_idle_timeout;

  if (remote && remote->max_idle_timeout &&
      (idle == 0 || remote->max_idle_timeout < idle)) {
    idle = remote->max_idle_timeout;
  }
  if (idle) {
    ngtcp2_conn_set_keep_alive_timeout(conn->ngtcp2, idle / 2);
  }
}

void quic_conn_let_idle(quic_conn *conn) {
  ngtcp2_conn_set_keep_alive_timeout(conn->ngtcp2, 0);
}

ngtcp2_conn *quic_conn_ngtcp2(quic_conn *conn) { return conn->ngtcp2; }

const ngtcp2_mem *quic_conn_mem(const quic_conn *conn) { return conn->mem; }

uint64_t quic_conn_number(const quic_conn *conn) { return conn->number; }

void quic_conn_remote(const quic_conn *conn, udp_address *remote) {
  const ngtcp2_path *path = ngtcp2_conn_get_path2(conn->ngtcp2);

  memset(remote, 0, sizeof(*remote));
  memcpy(remote, path->remote.addr, (size_t)path->remote.addrlen);
}

uint64_t quic_conn_now(const quic_conn *conn) { return conn->now; }

const uint8_t *quic_conn_certificate_hash(const quic_conn *conn) {
  return tls_session_certificate_hash(conn->tls);
}
