/* SPDX-License-Identifier: Apache-2.0 */
#include "server/quic/endpoint.h"

#include "server/quic/cid_table.h"
#include "server/quic/stateless.h"

#include <stddef.h>
#include <string.h>

#define SCIDS_MAX 64

/* RFC 8446 section 6. */
#define ALERT_CERTIFICATE_REVOKED 44

/* Where handshakes are counted by address.  Two that meet in one place are
   counted together; which ones do is a secret. */
#define PLACES 4096

struct quic_endpoint {
  quic_endpoint_config config;
  tls_context *tls;
  quic_memory memory;
  cid_table cids;
  timer_heap timers;
  quic_conn *conns; /* all of them */
  size_t nconns;
  quic_conn *dirty_head, **dirty_tail;
  uint64_t next_number;
  int shut;
  /* QUIC_CONN_OPEN; those of them in their handshake; and by address. */
  size_t nopen, nhandshakes;
  uint16_t places[PLACES];
  uint64_t place_key[2];
  address_tokens tokens;
  stateless stateless;
  quic_endpoint_counters counters;
};

void quic_conn_limits_default(quic_conn_limits *limits) {
  limits->stream_window = 1024 * 1024;
  limits->connection_window = 2 * 1024 * 1024;
  limits->memory = 0;
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
  quic_endpoint_keys keys;
  quic_endpoint *endpoint;
  int rv;

  *pendpoint = NULL;
  endpoint = mem->calloc(1, sizeof(*endpoint), mem->user_data);
  if (!endpoint) {
    return QUIC_ERR_NOMEM;
  }
  endpoint->config = *config;
  endpoint->config.mem = mem;
  endpoint->dirty_tail = &endpoint->dirty_head;
  if (config->keys) {
    keys = *config->keys;
    rv = 0;
  } else {
    rv = fill_random(endpoint, &keys, sizeof(keys));
  }
  if (rv != 0 || fill_random(endpoint, key, sizeof(key)) != 0 ||
      fill_random(endpoint, endpoint->place_key, sizeof(endpoint->place_key)) !=
          0) {
    mem->free(endpoint, mem->user_data);
    return QUIC_ERR_FAILED;
  }
  address_tokens_init(&endpoint->tokens, keys.token, config->token_clock);
  stateless_init(&endpoint->stateless, config->random, keys.reset);
  ngtcp2_secure_clear(&keys, sizeof(keys));
  endpoint->config.keys = NULL;
  if (!config->retry_above) {
    endpoint->config.retry_above = QUIC_RETRY_ABOVE;
  }
  if (!config->handshakes_max) {
    endpoint->config.handshakes_max = QUIC_HANDSHAKES_MAX;
  }
  if (!config->handshakes_per_address) {
    endpoint->config.handshakes_per_address =
        (endpoint->config.handshakes_max + 1) / 2;
  }
  quic_memory_init(&endpoint->memory, mem, NULL,
                   config->memory_max ? config->memory_max : SIZE_MAX);
  cid_table_init(&endpoint->cids, key, mem);
  timer_heap_init(&endpoint->timers, mem);
  endpoint->tls = tls;
  *pendpoint = endpoint;
  return 0;
}

static void forget_cids(quic_endpoint *endpoint, quic_conn *conn) {
  ngtcp2_cid scids[SCIDS_MAX];
  size_t i, n = quic_conn_scids(conn, NULL);

  if (n <= SCIDS_MAX) {
    n = quic_conn_scids(conn, scids);
    for (i = 0; i < n; ++i) {
      cid_table_remove(&endpoint->cids, &scids[i]);
    }
    cid_table_remove(&endpoint->cids, &conn->client_dcid);
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

/* Counts the end of |conn|, which is not open any more, and tells it. */
static void tell_end(quic_endpoint *endpoint, quic_conn *conn) {
  /* After a Retry it is not over, it begins again. */
  if (conn->end_told || conn->retried) {
    return;
  }
  conn->end_told = 1;
  if (!conn->end.established) {
    ++endpoint->counters.handshakes_failed;
  }
  if (endpoint->config.on_end) {
    endpoint->config.on_end(endpoint->config.user, conn, &conn->end);
  }
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
  address_tokens_clear(&endpoint->tokens);
  stateless_clear(&endpoint->stateless);
  mem->free(endpoint, mem->user_data);
}

void quic_endpoint_set_tls(quic_endpoint *endpoint, tls_context *tls) {
  tls_context_unref(endpoint->tls);
  endpoint->tls = tls;
}

/* ---- In ---- */

/* Where the handshakes of |remote|'s network are counted. */
static uint16_t *place_of(quic_endpoint *endpoint, const udp_address *remote) {
  const uint64_t *key = endpoint->place_key;
  uint64_t network = 0;

  if (remote->sa.sa_family == AF_INET6) {
    memcpy(&network, &remote->in6.sin6_addr, sizeof(network));
    if (IN6_IS_ADDR_V4MAPPED(&remote->in6.sin6_addr)) {
      memcpy(&network, (const uint8_t *)&remote->in6.sin6_addr + 12, 4);
    }
  } else {
    memcpy(&network, &remote->in.sin_addr, 4);
  }
  network = (network ^ key[0]) * (key[1] | 1);
  network ^= network >> 32;
  network *= key[0] | 1;
  return &endpoint->places[(network >> 40) % PLACES];
}

static int send_retry(quic_endpoint *endpoint, const udp_datagram *in,
                      const ngtcp2_path *path, const ngtcp2_pkt_hd *hd,
                      uint64_t now) {
  uint8_t token[ADDRESS_TOKEN_MAX];
  ngtcp2_cid scid;
  size_t len;

  scid.datalen = QUIC_SCIDLEN;
  if (fill_random(endpoint, scid.data, QUIC_SCIDLEN) != 0) {
    return 0;
  }
  len = address_token_for_retry(&endpoint->tokens, token, hd->version,
                                &path->remote, &scid, &hd->dcid, now);
  if (len == 0 ||
      !stateless_retry(&endpoint->stateless, in, hd, &scid, token, len)) {
    return 0;
  }
  ++endpoint->counters.retries_sent;
  return 1;
}

const char *quic_refused_name(quic_refused reason) {
  static const char *const names[QUIC_REFUSED_COUNT] = {
      [QUIC_REFUSED_CONNECTIONS] = "max_connections",
      [QUIC_REFUSED_MEMORY] = "memory",
      [QUIC_REFUSED_HANDSHAKES] = "max_handshakes",
      [QUIC_REFUSED_ADDRESS] = "handshakes_of_one_address",
      [QUIC_REFUSED_FAILURE] = "failure"};

  return names[reason];
}

/* Counts a connection that there is not, and returns NULL. */
static quic_conn *refuse(quic_endpoint *endpoint, quic_refused reason) {
  ++endpoint->counters.connections_refused;
  ++endpoint->counters.refused[reason];
  return NULL;
}

/* Whether there is room for a handshake with |remote|; else |*reason| says what
   there is none of. */
static int has_room(quic_endpoint *endpoint, const udp_address *remote,
                    quic_refused *reason) {
  const quic_endpoint_config *config = &endpoint->config;

  if (endpoint->nconns >= config->connections_max) {
    *reason = QUIC_REFUSED_CONNECTIONS;
  } else if (endpoint->memory.octets > endpoint->memory.limit / 4 * 3) {
    *reason = QUIC_REFUSED_MEMORY;
  } else if (endpoint->nhandshakes >= config->handshakes_max) {
    *reason = QUIC_REFUSED_HANDSHAKES;
  } else if (*place_of(endpoint, remote) >= config->handshakes_per_address) {
    *reason = QUIC_REFUSED_ADDRESS;
  } else {
    return 1;
  }
  return 0;
}

/* NULL if the packet asks for no connection or there is no room for one. */
static quic_conn *accept_conn(quic_endpoint *endpoint, const udp_datagram *in,
                              const ngtcp2_path *path, uint64_t now) {
  quic_endpoint_counters *counters = &endpoint->counters;
  quic_conn_config config;
  quic_refused reason;
  ngtcp2_pkt_hd hd;
  quic_conn *conn;

  if (endpoint->shut || ngtcp2_accept(&hd, in->data, in->len) != 0) {
    ++counters->packets_dropped;
    return NULL;
  }
  memset(&config, 0, sizeof(config));
  config.scid.datalen = QUIC_SCIDLEN;
  if (!has_room(endpoint, &in->remote, &reason)) {
    return refuse(endpoint, reason);
  }
  config.address = address_token_check(&endpoint->tokens, &config.odcid, &hd,
                                       &path->remote, now);
  counters->tokens_expired = endpoint->tokens.expired;
  if (config.address == ADDRESS_REFUSED) {
    stateless_refuse(&endpoint->stateless, in, &hd, NGTCP2_INVALID_TOKEN, now);
    ++counters->tokens_refused;
    return NULL;
  }
  if ((endpoint->config.on_initial &&
       endpoint->config.on_initial(endpoint->config.user) != 0) ||
      !endpoint->tls) {
    ++counters->initials_ignored;
    return NULL;
  }
  if (config.address != ADDRESS_UNKNOWN) {
    ++counters->tokens_accepted;
  } else if (endpoint->config.retry == QUIC_RETRY_ALWAYS ||
             (endpoint->config.retry == QUIC_RETRY_WHEN_BUSY &&
              endpoint->nhandshakes >= endpoint->config.retry_above)) {
    return send_retry(endpoint, in, path, &hd, now)
               ? NULL
               : refuse(endpoint, QUIC_REFUSED_FAILURE);
  }
  if (timer_heap_reserve(&endpoint->timers, endpoint->nconns + 1) != 0 ||
      fill_random(endpoint, config.scid.data, QUIC_SCIDLEN) != 0) {
    return refuse(endpoint, QUIC_REFUSED_FAILURE);
  }
  config.endpoint = endpoint;
  config.mem = endpoint->config.mem;
  config.memory = &endpoint->memory;
  config.random = endpoint->config.random;
  config.limits = &endpoint->config.limits;
  config.services = endpoint->config.services;
  config.nservices = endpoint->config.nservices;
  config.tls = endpoint->tls;
  config.number = ++endpoint->next_number;
  config.reset_secret = endpoint->stateless.reset_secret;
  if (quic_conn_new(&conn, &config, path, &hd, now) != 0) {
    return refuse(endpoint, QUIC_REFUSED_FAILURE);
  }
  conn->all_next = endpoint->conns;
  conn->all_link = &endpoint->conns;
  if (endpoint->conns) {
    endpoint->conns->all_link = &conn->all_next;
  }
  endpoint->conns = conn;
  conn->handshake_place = place_of(endpoint, &in->remote);
  ++*conn->handshake_place;
  ++endpoint->nhandshakes;
  ++endpoint->nopen;
  ++endpoint->nconns;
  /* A ClientHello may span several Initials, and all of them carry the ID
     that the client chose. */
  if (cid_table_insert(&endpoint->cids, &hd.dcid, conn) != 0 ||
      cid_table_insert(&endpoint->cids, &config.scid, conn) != 0) {
    free_conn(endpoint, conn);
    return refuse(endpoint, QUIC_REFUSED_FAILURE);
  }
  ++counters->connections_accepted;
  return conn;
}

static void receive_one(quic_endpoint *endpoint, udp_datagram *in,
                        uint64_t now) {
  quic_endpoint_counters *counters = &endpoint->counters;
  ngtcp2_version_cid vc;
  ngtcp2_pkt_info pi;
  ngtcp2_path path;
  ngtcp2_pkt_hd hd;
  quic_conn *conn;
  int rv;

  ++counters->datagrams_received;
  counters->octets_received += in->len;
  if (in->len == 0) {
    ++counters->packets_dropped;
    return;
  }
  rv = ngtcp2_pkt_decode_version_cid(&vc, in->data, in->len, QUIC_SCIDLEN);
  if (rv != 0) {
    if (rv == NGTCP2_ERR_VERSION_NEGOTIATION &&
        stateless_negotiate(&endpoint->stateless, in, &vc)) {
      ++counters->version_negotiations;
    } else {
      ++counters->packets_dropped;
    }
    return;
  }
  memset(&path, 0, sizeof(path));
  ngtcp2_addr_init(&path.local, &in->local.sa, udp_address_len(&in->local));
  ngtcp2_addr_init(&path.remote, &in->remote.sa, udp_address_len(&in->remote));
  conn = cid_table_find(&endpoint->cids, vc.dcid, vc.dcidlen);
  if (!conn && (in->data[0] & 0x80) == 0) {
    if (stateless_reset(&endpoint->stateless, in, &vc, now)) {
      ++counters->stateless_resets;
    } else {
      ++counters->packets_dropped;
    }
    return;
  }
  if (!conn) {
    conn = accept_conn(endpoint, in, &path, now);
    if (!conn) {
      return;
    }
  }
  memset(&pi, 0, sizeof(pi));
  pi.ecn = in->ecn;
  if (quic_conn_read(conn, &path, &pi, in->data, in->len, now) ==
          QUIC_ERR_RETRY &&
      ngtcp2_accept(&hd, in->data, in->len) == 0) {
    send_retry(endpoint, in, &path, &hd, now);
  }
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

int quic_endpoint_send(quic_endpoint *endpoint, udp_batch *out, uint64_t now) {
  size_t i, first = out->count;

  expire(endpoint, now);
  stateless_send(&endpoint->stateless, out);
  while (endpoint->dirty_head && out->count < out->capacity) {
    quic_conn *conn = pop_dirty(endpoint);

    if (conn->state != QUIC_CONN_DEAD && quic_conn_write(conn, out, now)) {
      quic_endpoint_wake(endpoint, conn);
      continue;
    }
    if (conn->dirty) {
      continue;
    }
    if (conn->state != QUIC_CONN_OPEN) {
      tell_end(endpoint, conn);
      quic_conn_shrink(conn);
    }
    if (conn->state == QUIC_CONN_DEAD) {
      free_conn(endpoint, conn);
    } else {
      timer_heap_set(&endpoint->timers, &conn->timer, quic_conn_deadline(conn));
    }
  }
  for (i = first; i < out->count; ++i) {
    endpoint->counters.octets_sent += out->datagrams[i].len;
  }
  endpoint->counters.datagrams_sent += out->count - first;
  return endpoint->dirty_head != NULL || endpoint->stateless.count != 0;
}

uint64_t quic_endpoint_deadline(const quic_endpoint *endpoint) {
  const timer *t = timer_heap_first(&endpoint->timers);

  return t ? t->deadline : UINT64_MAX;
}

void quic_endpoint_shutdown(quic_endpoint *endpoint, uint64_t now) {
  quic_conn *conn;

  endpoint->shut = 1;
  for (conn = endpoint->conns; conn; conn = conn->all_next) {
    if (conn->state != QUIC_CONN_OPEN) {
      continue;
    }
    if (ngtcp2_conn_get_handshake_completed2(conn->ngtcp2)) {
      quic_conn_finish(conn);
      quic_conn_close(conn, NULL, now);
    } else {
      ngtcp2_ccerr ccerr;

      ngtcp2_ccerr_set_transport_error(&ccerr, NGTCP2_CONNECTION_REFUSED, NULL,
                                       0);
      quic_conn_close(conn, &ccerr, now);
    }
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
    if (conn->state == QUIC_CONN_OPEN &&
        memcmp(quic_conn_certificate_hash(conn), sha256, CM_HASH_LEN) == 0) {
      return 1;
    }
  }
  return 0;
}

size_t quic_endpoint_connections(const quic_endpoint *endpoint) {
  return endpoint->nopen;
}

size_t quic_endpoint_memory(const quic_endpoint *endpoint) {
  return endpoint->memory.octets;
}

size_t quic_endpoint_handshakes(const quic_endpoint *endpoint) {
  return endpoint->nhandshakes;
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

static void leave_handshake(quic_endpoint *endpoint, quic_conn *conn) {
  if (conn->handshake_place) {
    --*conn->handshake_place;
    conn->handshake_place = NULL;
    --endpoint->nhandshakes;
  }
}

void quic_endpoint_established(quic_endpoint *endpoint, quic_conn *conn) {
  leave_handshake(endpoint, conn);
  ++endpoint->counters.handshakes_completed;
}

void quic_endpoint_ended(quic_endpoint *endpoint, quic_conn *conn) {
  leave_handshake(endpoint, conn);
  --endpoint->nopen;
}

size_t quic_endpoint_new_token(const quic_endpoint *endpoint, uint8_t *dest,
                               const ngtcp2_addr *remote, uint64_t now) {
  return address_token_for_later(&endpoint->tokens, dest, remote, now);
}
