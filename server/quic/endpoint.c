/* SPDX-License-Identifier: Apache-2.0 */
#include "server/quic/endpoint.h"

#include "server/quic/cid_table.h"

#include <stddef.h>
#include <string.h>

/* Answers to packets that belong to no connection, waiting for a slot. */
#define STATELESS_MAX 32
#define STATELESS_LEN 128

/* A stateless reset must be smaller than what it answers, or two endpoints
   could answer each other for ever (RFC 9000 section 10.3.3); below 41 octets
   it would look like one. */
#define RESET_TRIGGER_MIN 43
#define RESET_LEN_MAX 64

#define SCIDS_MAX 64

/* RFC 8446 section 6. */
#define ALERT_CERTIFICATE_REVOKED 44

typedef struct stateless {
  udp_address remote, local;
  size_t len;
  uint8_t data[STATELESS_LEN];
} stateless;

struct quic_endpoint {
  quic_endpoint_config config;
  tls_context *tls;
  cid_table cids;
  timer_heap timers;
  quic_conn *conns; /* all of them */
  size_t nconns;
  quic_conn *dirty_head, **dirty_tail;
  uint64_t next_number;
  int shut;
  uint8_t reset_secret[QUIC_RESET_SECRETLEN];
  stateless stateless[STATELESS_MAX];
  size_t nstateless;
  quic_endpoint_counters counters;
};

void quic_conn_limits_default(quic_conn_limits *limits) {
  limits->stream_window = 1024 * 1024;
  limits->connection_window = 2 * 1024 * 1024;
  limits->streams_bidi = 128;
  limits->streams_uni = 128;
  limits->idle_timeout = 30 * NGTCP2_SECONDS;
  limits->handshake_timeout = 10 * NGTCP2_SECONDS;
}

static int fill_random(const quic_endpoint *endpoint, void *dest, size_t len) {
  const cm_random *random = endpoint->config.random;

  return random->fill(random->user, dest, len);
}

int quic_endpoint_new(quic_endpoint **pendpoint,
                      const quic_endpoint_config *config, tls_context *tls) {
  const ngtcp2_mem *mem = config->mem ? config->mem : ngtcp2_mem_default();
  uint8_t key[CID_TABLE_KEYLEN];
  quic_endpoint *endpoint;

  *pendpoint = NULL;
  endpoint = mem->calloc(1, sizeof(*endpoint), mem->user_data);
  if (!endpoint) {
    return QUIC_ERR_NOMEM;
  }
  endpoint->config = *config;
  endpoint->config.mem = mem;
  endpoint->dirty_tail = &endpoint->dirty_head;
  if (fill_random(endpoint, key, sizeof(key)) != 0 ||
      fill_random(endpoint, endpoint->reset_secret,
                  sizeof(endpoint->reset_secret)) != 0) {
    mem->free(endpoint, mem->user_data);
    return QUIC_ERR_FAILED;
  }
  cid_table_init(&endpoint->cids, key, mem);
  timer_heap_init(&endpoint->timers, mem);
  endpoint->tls = tls;
  *pendpoint = endpoint;
  return 0;
}

static void forget_cids(quic_endpoint *endpoint, quic_conn *conn) {
  ngtcp2_cid scids[SCIDS_MAX];
  size_t i, n = ngtcp2_conn_get_scid2(conn->ngtcp2, NULL);

  if (n <= SCIDS_MAX) {
    n = ngtcp2_conn_get_scid2(conn->ngtcp2, scids);
    for (i = 0; i < n; ++i) {
      cid_table_remove(&endpoint->cids, &scids[i]);
    }
    cid_table_remove(&endpoint->cids, &conn->original_dcid);
    return;
  }
  /* Far more than ngtcp2 keeps; but a dangling entry must never be. */
  for (i = 0; i < endpoint->cids.capacity;) {
    if (endpoint->cids.entries[i].conn == conn) {
      ngtcp2_cid cid = endpoint->cids.entries[i].cid;

      cid_table_remove(&endpoint->cids, &cid);
      i = 0;
    } else {
      ++i;
    }
  }
}

static void free_conn(quic_endpoint *endpoint, quic_conn *conn) {
  /* It is in no list, and nothing that happens while it goes may put it in. */
  conn->dirty = 1;
  forget_cids(endpoint, conn);
  timer_heap_remove(&endpoint->timers, &conn->timer);
  *conn->all_link = conn->all_next;
  if (conn->all_next) {
    conn->all_next->all_link = conn->all_link;
  }
  --endpoint->nconns;
  quic_conn_free(conn);
}

static void reap(quic_endpoint *endpoint, quic_conn *conn) {
  if (!conn->end.established) {
    ++endpoint->counters.handshakes_failed;
  }
  if (endpoint->config.on_end) {
    endpoint->config.on_end(endpoint->config.user, conn, &conn->end);
  }
  free_conn(endpoint, conn);
}

void quic_endpoint_free(quic_endpoint *endpoint) {
  const ngtcp2_mem *mem;

  if (!endpoint) {
    return;
  }
  mem = endpoint->config.mem;
  while (endpoint->conns) {
    free_conn(endpoint, endpoint->conns);
  }
  timer_heap_free(&endpoint->timers);
  cid_table_free(&endpoint->cids);
  tls_context_unref(endpoint->tls);
  ngtcp2_secure_clear(endpoint->reset_secret, sizeof(endpoint->reset_secret));
  mem->free(endpoint, mem->user_data);
}

void quic_endpoint_set_tls(quic_endpoint *endpoint, tls_context *tls) {
  tls_context_unref(endpoint->tls);
  endpoint->tls = tls;
}

/* ---- In ---- */

static stateless *next_stateless(quic_endpoint *endpoint,
                                 const udp_datagram *in) {
  stateless *answer;

  if (endpoint->nstateless == STATELESS_MAX) {
    return NULL;
  }
  answer = &endpoint->stateless[endpoint->nstateless];
  answer->remote = in->remote;
  answer->local = in->local;
  return answer;
}

static void negotiate_version(quic_endpoint *endpoint, const udp_datagram *in,
                              const ngtcp2_version_cid *vc) {
  static const uint32_t versions[] = {NGTCP2_PROTO_VER_V1, NGTCP2_PROTO_VER_V2};
  stateless *answer;
  uint8_t unused;
  ngtcp2_ssize n;

  /* RFC 9000 section 6.1; smaller ones would be amplified. */
  if (in->len < NGTCP2_MAX_UDP_PAYLOAD_SIZE) {
    ++endpoint->counters.packets_dropped;
    return;
  }
  answer = next_stateless(endpoint, in);
  if (!answer || fill_random(endpoint, &unused, 1) != 0) {
    ++endpoint->counters.packets_dropped;
    return;
  }
  n = ngtcp2_pkt_write_version_negotiation(
      answer->data, sizeof(answer->data), unused, vc->scid, vc->scidlen,
      vc->dcid, vc->dcidlen, versions, sizeof(versions) / sizeof(versions[0]));
  if (n <= 0) {
    ++endpoint->counters.packets_dropped;
    return;
  }
  answer->len = (size_t)n;
  ++endpoint->nstateless;
  ++endpoint->counters.version_negotiations;
}

static void reset_stateless(quic_endpoint *endpoint, const udp_datagram *in,
                            const ngtcp2_version_cid *vc) {
  uint8_t unpredictable[RESET_LEN_MAX];
  ngtcp2_stateless_reset_token token;
  ngtcp2_cid cid;
  stateless *answer;
  size_t randlen;
  ngtcp2_ssize n;

  if (in->len < RESET_TRIGGER_MIN || vc->dcidlen > NGTCP2_MAX_CIDLEN) {
    ++endpoint->counters.packets_dropped;
    return;
  }
  answer = next_stateless(endpoint, in);
  randlen = in->len - 1 - sizeof(token.data);
  if (randlen > sizeof(unpredictable) - sizeof(token.data)) {
    randlen = sizeof(unpredictable) - sizeof(token.data);
  }
  ngtcp2_cid_init(&cid, vc->dcid, vc->dcidlen);
  if (!answer || fill_random(endpoint, unpredictable, randlen) != 0 ||
      ngtcp2_crypto_generate_stateless_reset_token(
          token.data, endpoint->reset_secret, sizeof(endpoint->reset_secret),
          &cid) != 0) {
    ++endpoint->counters.packets_dropped;
    return;
  }
  n = ngtcp2_pkt_write_stateless_reset2(answer->data, sizeof(answer->data),
                                        &token, unpredictable, randlen);
  if (n <= 0) {
    ++endpoint->counters.packets_dropped;
    return;
  }
  answer->len = (size_t)n;
  ++endpoint->nstateless;
  ++endpoint->counters.stateless_resets;
}

/* NULL if the packet asks for no connection or there is no room for one. */
static quic_conn *accept_conn(quic_endpoint *endpoint, const udp_datagram *in,
                              const ngtcp2_path *path, uint64_t now) {
  quic_conn_config config;
  ngtcp2_pkt_hd hd;
  quic_conn *conn;

  if (endpoint->shut || ngtcp2_accept(&hd, in->data, in->len) != 0) {
    ++endpoint->counters.packets_dropped;
    return NULL;
  }
  memset(&config, 0, sizeof(config));
  config.scid.datalen = QUIC_SCIDLEN;
  if (endpoint->nconns >= endpoint->config.connections_max) {
    ++endpoint->counters.connections_refused;
    return NULL;
  }
  if ((endpoint->config.on_initial &&
       endpoint->config.on_initial(endpoint->config.user) != 0) ||
      !endpoint->tls) {
    ++endpoint->counters.initials_ignored;
    return NULL;
  }
  if (timer_heap_reserve(&endpoint->timers, endpoint->nconns + 1) != 0 ||
      fill_random(endpoint, config.scid.data, QUIC_SCIDLEN) != 0) {
    ++endpoint->counters.connections_refused;
    return NULL;
  }
  config.endpoint = endpoint;
  config.mem = endpoint->config.mem;
  config.random = endpoint->config.random;
  config.limits = &endpoint->config.limits;
  config.services = endpoint->config.services;
  config.nservices = endpoint->config.nservices;
  config.tls = endpoint->tls;
  config.number = ++endpoint->next_number;
  config.reset_secret = endpoint->reset_secret;
  if (quic_conn_new(&conn, &config, path, &hd, now) != 0) {
    ++endpoint->counters.connections_refused;
    return NULL;
  }
  conn->all_next = endpoint->conns;
  conn->all_link = &endpoint->conns;
  if (endpoint->conns) {
    endpoint->conns->all_link = &conn->all_next;
  }
  endpoint->conns = conn;
  ++endpoint->nconns;
  /* A ClientHello may span several Initials, and all of them carry the ID
     that the client chose. */
  if (cid_table_insert(&endpoint->cids, &hd.dcid, conn) != 0 ||
      cid_table_insert(&endpoint->cids, &config.scid, conn) != 0) {
    free_conn(endpoint, conn);
    ++endpoint->counters.connections_refused;
    return NULL;
  }
  ++endpoint->counters.connections_accepted;
  return conn;
}

static void receive_one(quic_endpoint *endpoint, udp_datagram *in,
                        uint64_t now) {
  ngtcp2_version_cid vc;
  ngtcp2_path path;
  ngtcp2_pkt_info pi;
  quic_conn *conn;
  int rv;

  ++endpoint->counters.datagrams_received;
  endpoint->counters.octets_received += in->len;
  if (in->len == 0) {
    ++endpoint->counters.packets_dropped;
    return;
  }
  rv = ngtcp2_pkt_decode_version_cid(&vc, in->data, in->len, QUIC_SCIDLEN);
  if (rv == NGTCP2_ERR_VERSION_NEGOTIATION) {
    negotiate_version(endpoint, in, &vc);
    return;
  }
  if (rv != 0) {
    ++endpoint->counters.packets_dropped;
    return;
  }
  memset(&path, 0, sizeof(path));
  ngtcp2_addr_init(&path.local, &in->local.sa, udp_address_len(&in->local));
  ngtcp2_addr_init(&path.remote, &in->remote.sa, udp_address_len(&in->remote));
  conn = cid_table_find(&endpoint->cids, vc.dcid, vc.dcidlen);
  if (!conn) {
    if ((in->data[0] & 0x80) == 0) {
      reset_stateless(endpoint, in, &vc);
      return;
    }
    conn = accept_conn(endpoint, in, &path, now);
    if (!conn) {
      return;
    }
  }
  memset(&pi, 0, sizeof(pi));
  pi.ecn = in->ecn;
  quic_conn_read(conn, &path, &pi, in->data, in->len, now);
}

void quic_endpoint_receive(quic_endpoint *endpoint, udp_batch *in,
                           uint64_t now) {
  size_t i;

  for (i = 0; i < in->count; ++i) {
    receive_one(endpoint, &in->datagrams[i], now);
  }
}

/* ---- Out ---- */

static void expire(quic_endpoint *endpoint, uint64_t now) {
  timer *t;

  while ((t = timer_heap_first(&endpoint->timers)) && t->deadline <= now) {
    quic_conn *conn =
        (quic_conn *)(void *)((char *)t - offsetof(quic_conn, timer));

    /* Set again when the connection has been written. */
    timer_heap_remove(&endpoint->timers, t);
    quic_conn_expire(conn, now);
    quic_endpoint_wake(endpoint, conn);
  }
}

static quic_conn *pop_dirty(quic_endpoint *endpoint) {
  quic_conn *conn = endpoint->dirty_head;

  if (conn) {
    endpoint->dirty_head = conn->dirty_next;
    if (!endpoint->dirty_head) {
      endpoint->dirty_tail = &endpoint->dirty_head;
    }
    conn->dirty = 0;
    conn->dirty_next = NULL;
  }
  return conn;
}

static void send_stateless(quic_endpoint *endpoint, udp_batch *out) {
  size_t i;

  for (i = 0; i < endpoint->nstateless && out->count < out->capacity; ++i) {
    const stateless *answer = &endpoint->stateless[i];
    udp_datagram *slot = &out->datagrams[out->count++];

    slot->remote = answer->remote;
    slot->local = answer->local;
    slot->ecn = 0;
    slot->len = answer->len;
    memcpy(slot->data, answer->data, answer->len);
  }
  endpoint->nstateless -= i;
  memmove(endpoint->stateless, endpoint->stateless + i,
          endpoint->nstateless * sizeof(endpoint->stateless[0]));
}

int quic_endpoint_send(quic_endpoint *endpoint, udp_batch *out, uint64_t now) {
  size_t i, first = out->count;

  expire(endpoint, now);
  send_stateless(endpoint, out);
  while (endpoint->dirty_head && out->count < out->capacity) {
    quic_conn *conn = pop_dirty(endpoint);

    if (conn->state != QUIC_CONN_DEAD && quic_conn_write(conn, out, now)) {
      quic_endpoint_wake(endpoint, conn);
      continue;
    }
    if (conn->dirty) {
      continue;
    }
    if (conn->state == QUIC_CONN_DEAD) {
      reap(endpoint, conn);
    } else {
      timer_heap_set(&endpoint->timers, &conn->timer, quic_conn_deadline(conn));
    }
  }
  for (i = first; i < out->count; ++i) {
    endpoint->counters.octets_sent += out->datagrams[i].len;
  }
  endpoint->counters.datagrams_sent += out->count - first;
  return endpoint->dirty_head != NULL || endpoint->nstateless != 0;
}

uint64_t quic_endpoint_deadline(const quic_endpoint *endpoint) {
  const timer *t = timer_heap_first(&endpoint->timers);

  return t ? t->deadline : UINT64_MAX;
}

void quic_endpoint_shutdown(quic_endpoint *endpoint, uint64_t now) {
  quic_conn *conn;

  endpoint->shut = 1;
  for (conn = endpoint->conns; conn; conn = conn->all_next) {
    ngtcp2_ccerr ccerr;

    ngtcp2_ccerr_default(&ccerr);
    quic_conn_close(conn, &ccerr, now);
    quic_endpoint_wake(endpoint, conn);
  }
}

size_t quic_endpoint_close_certificate(quic_endpoint *endpoint,
                                       const uint8_t sha256[CM_HASH_LEN],
                                       uint64_t now) {
  static const char reason[] = "certificate revoked";
  quic_conn *conn;
  size_t n = 0;

  for (conn = endpoint->conns; conn; conn = conn->all_next) {
    ngtcp2_ccerr ccerr;

    if (conn->state != QUIC_CONN_OPEN ||
        memcmp(quic_conn_certificate_hash(conn), sha256, CM_HASH_LEN) != 0) {
      continue;
    }
    ngtcp2_ccerr_default(&ccerr);
    ngtcp2_ccerr_set_tls_alert(&ccerr, ALERT_CERTIFICATE_REVOKED,
                               (const uint8_t *)reason, sizeof(reason) - 1);
    quic_conn_close(conn, &ccerr, now);
    quic_endpoint_wake(endpoint, conn);
    ++n;
  }
  return n;
}

int quic_endpoint_holds_certificate(const quic_endpoint *endpoint,
                                    const uint8_t sha256[CM_HASH_LEN]) {
  const quic_conn *conn;

  for (conn = endpoint->conns; conn; conn = conn->all_next) {
    if (conn->state != QUIC_CONN_DEAD &&
        memcmp(quic_conn_certificate_hash(conn), sha256, CM_HASH_LEN) == 0) {
      return 1;
    }
  }
  return 0;
}

size_t quic_endpoint_connections(const quic_endpoint *endpoint) {
  const quic_conn *conn;
  size_t n = 0;

  for (conn = endpoint->conns; conn; conn = conn->all_next) {
    n += conn->state == QUIC_CONN_OPEN;
  }
  return n;
}

const quic_endpoint_counters *
quic_endpoint_get_counters(const quic_endpoint *endpoint) {
  return &endpoint->counters;
}

/* ---- For conn.c ---- */

int quic_endpoint_add_cid(quic_endpoint *endpoint, const ngtcp2_cid *cid,
                          quic_conn *conn) {
  return cid_table_insert(&endpoint->cids, cid, conn);
}

void quic_endpoint_remove_cid(quic_endpoint *endpoint, const ngtcp2_cid *cid) {
  cid_table_remove(&endpoint->cids, cid);
}

void quic_endpoint_wake(quic_endpoint *endpoint, quic_conn *conn) {
  if (conn->dirty) {
    return;
  }
  conn->dirty = 1;
  conn->dirty_next = NULL;
  *endpoint->dirty_tail = conn;
  endpoint->dirty_tail = &conn->dirty_next;
}

void quic_endpoint_established(quic_endpoint *endpoint, quic_conn *conn) {
  (void)conn;
  ++endpoint->counters.handshakes_completed;
}
