/* SPDX-License-Identifier: Apache-2.0 */
/* An endpoint alone on the virtual network: which certificate it serves, and
   how its connections end. */
#include "server/quic/endpoint.h"

#include "server/quic/echo.h"
#include "tests/sim/check.h"
#include "tests/sim/client_internal.h"

#include <stdlib.h>

#define NOT_BEFORE INT64_C(1795300000)
#define PEERS_MAX 8
#define ENDS_MAX 16
#define PATIENCE (20 * SIM_SECOND)

static cm_certificate certificates[2];
static sim_random source;
static const cm_random random_of_test = {sim_random_fill_user, &source};
static sim_tls *tls;

typedef struct place place;

/* What on_end told. */
typedef struct told {
  quic_conn_end end;
  char reason[64];
  udp_address remote;
  uint8_t certificate[32];
} told;

struct place {
  ngtcp2_mem mem;
  int no_memory;
  quic_endpoint *endpoint;
  sim_network *network;
  sim_peer peers[PEERS_MAX];
  size_t npeers;
  told ends[ENDS_MAX];
  size_t nends;
  /* What on_initial does. */
  int asked, refuse;
  tls_context *instead;
  size_t datagrams_to_server;
  size_t let_through;
};

static int set_up(void **state) {
  static const char *const hosts[] = {"localhost"};
  int i;

  (void)state;
  sim_random_seed(&source, 7);
  if (tls_startup() != 0 || sim_tls_new(&tls) != 0) {
    return -1;
  }
  for (i = 0; i < 2; ++i) {
    if (cm_x509_mint(&certificates[i], hosts, 1, NOT_BEFORE,
                     NOT_BEFORE + CM_VALIDITY_MAX, &random_of_test) != 0) {
      return -1;
    }
  }
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  sim_tls_free(tls);
  tls_cleanup();
  return 0;
}

static tls_context *context_of(int i) {
  const tls_config config = {.alpn = "echo"};
  tls_context *context;

  assert_int_equal(tls_context_new(&context, &certificates[i], &config), 0);
  return context;
}

static void receive(void *server, udp_batch *in, uint64_t now) {
  quic_endpoint_receive(server, in, now);
}

static int send_packets(void *server, udp_batch *out, uint64_t now) {
  return quic_endpoint_send(server, out, now);
}

static uint64_t deadline(void *server) {
  return quic_endpoint_deadline(server);
}

static void on_end(void *user, const quic_conn *conn,
                   const quic_conn_end *end) {
  place *p = user;
  told *t = &p->ends[p->nends++];

  assert_true(p->nends < ENDS_MAX);
  t->end = *end;
  if (end->reason_len && end->reason_len < sizeof(t->reason)) {
    memcpy(t->reason, end->reason, end->reason_len);
  }
  quic_conn_remote(conn, &t->remote);
  memcpy(t->certificate, quic_conn_certificate_hash(conn), 32);
}

/* The server's memory, of which there may be none. */
static void *scarce_malloc(size_t size, void *user) {
  return *(int *)user ? NULL : malloc(size);
}

static void *scarce_calloc(size_t nmemb, size_t size, void *user) {
  return *(int *)user ? NULL : calloc(nmemb, size);
}

static void *scarce_realloc(void *old, size_t size, void *user) {
  return *(int *)user ? NULL : realloc(old, size);
}

static void scarce_free(void *ptr, void *user) {
  (void)user;
  free(ptr);
}

static int on_initial(void *user) {
  place *p = user;

  ++p->asked;
  if (p->instead) {
    quic_endpoint_set_tls(p->endpoint, p->instead);
    p->instead = NULL;
  }
  return p->refuse;
}

static place *begin_with(tls_context *context, size_t connections_max) {
  static const quic_service services[] = {{&quic_echo, NULL}};
  place *p = calloc(1, sizeof(*p));
  sim_server server = {receive, send_packets, deadline, NULL};
  quic_endpoint_config config;

  assert_non_null(p);
  memset(&config, 0, sizeof(config));
  p->mem.user_data = &p->no_memory;
  p->mem.malloc = scarce_malloc;
  p->mem.calloc = scarce_calloc;
  p->mem.realloc = scarce_realloc;
  p->mem.free = scarce_free;
  config.mem = &p->mem;
  config.random = &random_of_test;
  quic_conn_limits_default(&config.limits);
  config.services = services;
  config.nservices = 1;
  config.connections_max = connections_max;
  config.on_initial = on_initial;
  config.on_end = on_end;
  config.user = p;
  assert_int_equal(quic_endpoint_new(&p->endpoint, &config, context), 0);
  server.server = p->endpoint;
  p->network = sim_network_new(&server, 11);
  assert_non_null(p->network);
  return p;
}

static place *begin(tls_context *context) { return begin_with(context, 100); }

static void end(place *p) {
  size_t i;

  sim_network_free(p->network);
  quic_endpoint_free(p->endpoint);
  for (i = 0; i < p->npeers; ++i) {
    assert_false(p->peers[i].overflow);
    sim_peer_clear(&p->peers[i]);
  }
  free(p);
}

/* A client that pins both certificates, or none. */
static sim_peer *add(place *p, int pins) {
  uint8_t hashes[2][32];
  sim_peer *peer = &p->peers[p->npeers++];
  sim_client_config config;

  assert_true(p->npeers <= PEERS_MAX);
  memcpy(hashes[0], certificates[0].sha256, 32);
  memcpy(hashes[1], certificates[1].sha256, 32);
  memset(&config, 0, sizeof(config));
  config.mode = SIM_MODE_RAW;
  config.alpn = "echo";
  config.server_name = "localhost";
  config.hashes = (const uint8_t(*)[32])hashes;
  config.nhashes = pins ? 2 : 0;
  config.tls = tls;
  config.callbacks = sim_peer_callbacks;
  config.user = peer;
  assert_int_equal(sim_network_add_client(p->network, &config, &peer->client),
                   0);
  return peer;
}

static void pass(place *p, uint64_t time) {
  assert_true(sim_network_run(p->network, NULL, NULL, time) >= 0);
}

static void run_until(place *p, int (*until)(void *user), void *user) {
  assert_int_equal(sim_network_run(p->network, until, user, PATIENCE), 0);
}

static int is_confirmed(void *user) { return ((sim_peer *)user)->confirmed; }
static int is_closed(void *user) { return ((sim_peer *)user)->closed; }
static int is_end_told(void *user) { return ((place *)user)->nends > 0; }

static sim_peer *connect_to(place *p) {
  sim_peer *peer = add(p, 1);

  run_until(p, is_confirmed, peer);
  return peer;
}

static void check_served(const sim_peer *peer, int i) {
  assert_memory_equal(sim_client_certificate(peer->client),
                      certificates[i].sha256, 32);
}

static void check_echo_of(place *p, sim_peer *peer) {
  size_t before = peer->ndatagrams;

  assert_int_equal(sim_client_datagram(peer->client, SIM_NO_SESSION,
                                       (const uint8_t *)"there?", 6),
                   0);
  pass(p, SIM_SECOND);
  assert_int_equal(peer->ndatagrams, before + 1);
  assert_false(peer->closed);
}

static const quic_endpoint_counters *counters(const place *p) {
  return quic_endpoint_get_counters(p->endpoint);
}

/* ---- What is served ---- */

/* Without a certificate nobody hears a word; the same client gets in as soon
   as there is one, since it goes on asking. */
static void test_no_certificate(void **state) {
  place *p = begin(NULL);
  sim_peer *peer = add(p, 1);

  (void)state;
  pass(p, 2 * SIM_SECOND);
  assert_int_equal(sim_network_delivered(p->network, 0), 0);
  assert_true(counters(p)->initials_ignored > 0);
  assert_int_equal(counters(p)->connections_accepted, 0);
  assert_int_equal(quic_endpoint_deadline(p->endpoint), UINT64_MAX);

  quic_endpoint_set_tls(p->endpoint, context_of(0));
  run_until(p, is_confirmed, peer);
  check_served(peer, 0);

  /* And away again: who is there stays. */
  quic_endpoint_set_tls(p->endpoint, NULL);
  add(p, 1);
  pass(p, 2 * SIM_SECOND);
  assert_false(p->peers[1].handshake_done);
  check_echo_of(p, peer);
  assert_int_equal(counters(p)->connections_accepted, 1);
  end(p);
}

/* Only packets that would open a connection are asked about. */
static void test_on_initial(void **state) {
  place *p = begin(context_of(0));
  sim_peer *peer = connect_to(p);
  uint64_t to_client;
  int asked = p->asked;

  (void)state;
  assert_int_equal(asked, 1);
  check_echo_of(p, peer);
  assert_int_equal(p->asked, asked);

  p->refuse = 1;
  to_client = sim_network_delivered(p->network, 0);
  add(p, 1);
  pass(p, 2 * SIM_SECOND);
  assert_true(p->asked > asked);
  assert_int_equal(sim_network_delivered(p->network, 0), to_client);
  assert_int_equal(counters(p)->connections_accepted, 1);

  p->refuse = 0;
  run_until(p, is_confirmed, &p->peers[1]);
  end(p);
}

/* What on_initial installs holds for the very Initial that it was asked
   for. */
static void test_swap_in_on_initial(void **state) {
  place *p = begin(NULL);

  (void)state;
  p->instead = context_of(0);
  check_served(connect_to(p), 0);
  p->instead = context_of(1);
  check_served(connect_to(p), 1);
  check_echo_of(p, &p->peers[0]);
  end(p);
}

/* At the limit, and after the end, nobody is asked. */
static void test_full(void **state) {
  place *p = begin_with(context_of(0), 1);
  int asked;

  (void)state;
  connect_to(p);
  asked = p->asked;
  add(p, 1);
  pass(p, SIM_SECOND);
  assert_int_equal(p->asked, asked);
  assert_true(counters(p)->refused[QUIC_REFUSED_CONNECTIONS] > 0);
  assert_int_equal(counters(p)->refused[QUIC_REFUSED_CONNECTIONS],
                   counters(p)->connections_refused);
  assert_int_equal(counters(p)->initials_ignored, 0);

  quic_endpoint_shutdown(p->endpoint, sim_network_now(p->network));
  pass(p, 2 * SIM_SECOND);
  assert_int_equal(p->asked, asked);
  assert_int_equal(counters(p)->connections_accepted, 1);
  end(p);
}

static int hold_back(sim_network *network, const sim_packet *packet,
                     void *user) {
  place *p = user;
  (void)network;

  if (!packet->to_server) {
    return 0;
  }
  return p->datagrams_to_server++ >= p->let_through;
}

/* Nobody is told NO_ERROR that has not got as far as the protocol. */
static void test_shutdown(void **state) {
  place *p = begin(context_of(0));
  sim_peer *there = connect_to(p), *coming;

  (void)state;
  p->let_through = 1;
  sim_network_set_filter(p->network, hold_back, p);
  coming = add(p, 1);
  pass(p, 100 * SIM_MILLISECOND);
  assert_int_equal(quic_endpoint_handshakes(p->endpoint), 1);

  quic_endpoint_shutdown(p->endpoint, sim_network_now(p->network));
  run_until(p, is_closed, there);
  run_until(p, is_closed, coming);
  /* Again, while they are closing. */
  quic_endpoint_shutdown(p->endpoint, sim_network_now(p->network));
  assert_int_equal(there->end.by, SIM_CLOSED_TRANSPORT);
  assert_int_equal(there->end.error_code, NGTCP2_NO_ERROR);
  assert_int_equal(coming->end.by, SIM_CLOSED_TRANSPORT);
  assert_int_equal(coming->end.error_code, NGTCP2_CONNECTION_REFUSED);
  end(p);
}

/* ---- Revoked ---- */

static void check_revoked(const sim_peer *peer) {
  static const char reason[] = "certificate revoked";

  assert_true(peer->closed);
  assert_int_equal(peer->end.by, SIM_CLOSED_TRANSPORT);
  assert_false(peer->end.local);
  /* CRYPTO_ERROR with certificate_revoked. */
  assert_int_equal(peer->end.error_code, 0x12c);
  assert_int_equal(peer->end.reason_len, sizeof(reason) - 1);
  assert_memory_equal(peer->end.reason, reason, sizeof(reason) - 1);
}

static int holds(const place *p, int i) {
  return quic_endpoint_holds_certificate(p->endpoint, certificates[i].sha256);
}

static size_t close_all(place *p, int i) {
  return quic_endpoint_close_certificate(p->endpoint, certificates[i].sha256,
                                         sim_network_now(p->network));
}

static void test_close_certificate(void **state) {
  place *p = begin(context_of(0));
  sim_peer *old[3], *young;
  size_t i;

  (void)state;
  assert_false(holds(p, 0));
  for (i = 0; i < 3; ++i) {
    old[i] = connect_to(p);
  }
  assert_true(holds(p, 0));
  assert_false(holds(p, 1));
  quic_endpoint_set_tls(p->endpoint, context_of(1));
  young = connect_to(p);
  assert_true(holds(p, 1));

  assert_int_equal(close_all(p, 0), 3);
  /* Once is enough. */
  assert_int_equal(close_all(p, 0), 0);
  assert_int_equal(quic_endpoint_connections(p->endpoint), 1);
  for (i = 0; i < 3; ++i) {
    run_until(p, is_closed, old[i]);
    check_revoked(old[i]);
  }
  check_echo_of(p, young);
  pass(p, 5 * SIM_SECOND);
  assert_false(holds(p, 0));
  assert_true(holds(p, 1));
  assert_int_equal(p->nends, 3);
  for (i = 0; i < 3; ++i) {
    assert_true(p->ends[i].end.established);
    assert_false(p->ends[i].end.by_peer);
    assert_int_equal(p->ends[i].end.error_code, 0x12c);
    assert_memory_equal(p->ends[i].certificate, certificates[0].sha256, 32);
  }
  end(p);
}

/* Drops what the server says until |let_through| datagrams were lost. */
static int lose_replies(sim_network *network, const sim_packet *packet,
                        void *user) {
  place *p = user;
  (void)network;

  if (packet->to_server || p->let_through == 0) {
    return 0;
  }
  --p->let_through;
  return 1;
}

/* Closes what is open; the CONNECTION_CLOSE is lost. */
static void close_unheard(place *p) {
  p->let_through = 1;
  sim_network_set_filter(p->network, lose_replies, p);
  assert_int_equal(close_all(p, 0), 1);
}

/* |peer| goes on, and hears of it after all; then the server forgets it. */
static void check_hears_of_close(place *p, sim_peer *peer) {
  assert_false(peer->closed);
  assert_int_equal(sim_client_datagram(peer->client, SIM_NO_SESSION,
                                       (const uint8_t *)"there?", 6),
                   0);
  run_until(p, is_closed, peer);
  check_revoked(peer);
  pass(p, 5 * SIM_SECOND);
  assert_int_equal(p->nends, 1);
  assert_int_equal(counters(p)->stateless_resets, 0);
  assert_int_equal(quic_endpoint_memory(p->endpoint), 0);
  assert_int_equal(quic_endpoint_deadline(p->endpoint), UINT64_MAX);
}

/* A connection that is closed keeps what it says to late packets, and no more
   memory than that. */
static void test_closed_is_small(void **state) {
  place *p = begin(context_of(0));
  sim_peer *peer = connect_to(p);

  (void)state;
  assert_true(quic_endpoint_memory(p->endpoint) > 10000);
  close_unheard(p);
  run_until(p, is_end_told, p);
  assert_int_equal(quic_endpoint_memory(p->endpoint), 0);
  check_hears_of_close(p, peer);
  end(p);
}

/* Where there is no memory to become small with, it goes on as it is. */
static void test_closed_without_memory(void **state) {
  place *p = begin(context_of(0));
  sim_peer *peer = connect_to(p);

  (void)state;
  close_unheard(p);
  p->no_memory = 1;
  run_until(p, is_end_told, p);
  assert_true(quic_endpoint_memory(p->endpoint) > 0);
  p->no_memory = 0;
  check_hears_of_close(p, peer);
  end(p);
}

/* The server has the ClientHello, and waits for the client's Finished. */
static void test_close_certificate_in_handshake(void **state) {
  place *p = begin(context_of(0));
  sim_peer *peer;

  (void)state;
  p->let_through = 1;
  sim_network_set_filter(p->network, hold_back, p);
  peer = add(p, 1);
  pass(p, 100 * SIM_MILLISECOND);
  assert_int_equal(counters(p)->connections_accepted, 1);
  assert_int_equal(counters(p)->handshakes_completed, 0);
  assert_true(holds(p, 0));

  assert_int_equal(close_all(p, 0), 1);
  run_until(p, is_closed, peer);
  check_revoked(peer);
  pass(p, 10 * SIM_SECOND);
  assert_false(holds(p, 0));
  assert_int_equal(p->nends, 1);
  assert_false(p->ends[0].end.established);
  assert_int_equal(counters(p)->handshakes_failed, 1);
  end(p);
}

/* Without memory for the farewell they go without, and at once. */
static void test_close_certificate_without_memory(void **state) {
  place *p = begin(context_of(0));
  size_t i;

  (void)state;
  for (i = 0; i < 3; ++i) {
    connect_to(p);
  }
  p->no_memory = 1;
  assert_int_equal(close_all(p, 0), 3);
  assert_false(holds(p, 0));
  p->no_memory = 0;
  pass(p, SIM_MILLISECOND);
  assert_int_equal(p->nends, 3);
  assert_int_equal(p->ends[0].end.error_code, 0x12c);
  end(p);
}

/* ---- How connections end ---- */

/* A client that refuses the certificate says so before there are 1-RTT
   keys. */
static void test_refused_by_client(void **state) {
  place *p = begin(context_of(1));
  sim_peer *peer = add(p, 0);
  udp_address address = *sim_network_address(p->network, peer->client);

  (void)state;
  run_until(p, is_end_told, p);
  assert_true(peer->end.local);
  assert_int_equal(p->nends, 1);
  assert_false(p->ends[0].end.established);
  assert_true(p->ends[0].end.by_peer);
  assert_false(p->ends[0].end.idle);
  assert_int_equal(p->ends[0].end.type, NGTCP2_CCERR_TYPE_TRANSPORT);
  assert_int_equal(p->ends[0].end.error_code, peer->end.error_code);
  assert_int_equal(p->ends[0].end.error_code & ~UINT64_C(0xff), 0x100);
  assert_memory_equal(p->ends[0].certificate, certificates[1].sha256, 32);
  assert_true(udp_address_eq(&p->ends[0].remote, &address));
  end(p);
}

/* The client's CONNECTION_CLOSE with |alert|, in whatever packets it has keys
   for. */
static void inject_close(place *p, sim_peer *peer, uint8_t alert) {
  static const uint8_t reason[] = "why not";
  uint64_t now = sim_network_now(p->network);
  uint8_t packet[1500];
  ngtcp2_path_storage path;
  ngtcp2_pkt_info pi;
  ngtcp2_ccerr ccerr;
  ngtcp2_ssize n;

  ngtcp2_ccerr_default(&ccerr);
  ngtcp2_ccerr_set_tls_alert(&ccerr, alert, reason, 7);
  ngtcp2_path_storage_zero(&path);
  n = ngtcp2_conn_write_connection_close(sim_client_conn(peer->client),
                                         &path.path, &pi, packet,
                                         sizeof(packet), &ccerr, now);
  assert_true(n > 0);
  assert_int_equal(
      sim_network_inject(p->network,
                         sim_network_address(p->network, peer->client), packet,
                         (size_t)n, SIM_MILLISECOND),
      0);
}

/* Every alert of a browser arrives, be it in an Initial or in a Handshake
   packet. */
static void test_alerts(void **state) {
  static const uint8_t alerts[] = {42, 43, 46, 47};
  size_t i;
  int late;

  (void)state;
  for (late = 0; late < 2; ++late) {
    for (i = 0; i < sizeof(alerts); ++i) {
      place *p = begin(context_of(0));
      sim_peer *peer;

      /* The ClientHello alone; 10 ms there, 10 ms back. */
      p->let_through = 1;
      sim_network_set_filter(p->network, hold_back, p);
      peer = add(p, 1);
      pass(p, late ? 30 * SIM_MILLISECOND : 15 * SIM_MILLISECOND);
      assert_int_equal(counters(p)->connections_accepted, 1);
      assert_int_equal(peer->handshake_done, late);
      inject_close(p, peer, alerts[i]);
      run_until(p, is_end_told, p);
      assert_false(p->ends[0].end.established);
      assert_true(p->ends[0].end.by_peer);
      assert_int_equal(p->ends[0].end.type, NGTCP2_CCERR_TYPE_TRANSPORT);
      assert_int_equal(p->ends[0].end.error_code, 0x100 + alerts[i]);
      assert_string_equal(p->ends[0].reason, "why not");
      assert_int_equal(counters(p)->handshakes_failed, 1);
      end(p);
    }
  }
}

/* A client that falls silent in its handshake. */
static void test_silence(void **state) {
  place *p = begin(context_of(0));

  (void)state;
  p->let_through = 1;
  sim_network_set_filter(p->network, hold_back, p);
  add(p, 1);
  run_until(p, is_end_told, p);
  assert_false(p->ends[0].end.established);
  assert_false(p->ends[0].end.by_peer);
  assert_true(p->ends[0].end.idle);
  assert_null(p->ends[0].end.reason);
  assert_memory_equal(p->ends[0].certificate, certificates[0].sha256, 32);
  end(p);
}

/* Adds a client of its own kind and waits for the server's verdict. */
static void check_refused_by_server(sim_tls *client_tls, const char *alpn,
                                    uint64_t error_code) {
  place *p = begin(context_of(0));
  sim_client_config config;

  memset(&config, 0, sizeof(config));
  config.mode = SIM_MODE_RAW;
  config.alpn = alpn;
  config.hashes = (const uint8_t(*)[32])certificates[0].sha256;
  config.nhashes = 1;
  config.tls = client_tls;
  config.callbacks = sim_peer_callbacks;
  config.user = &p->peers[0];
  p->npeers = 1;
  assert_int_equal(
      sim_network_add_client(p->network, &config, &p->peers[0].client), 0);
  run_until(p, is_end_told, p);
  assert_false(p->ends[0].end.established);
  assert_false(p->ends[0].end.by_peer);
  assert_false(p->ends[0].end.idle);
  assert_int_equal(p->ends[0].end.type, NGTCP2_CCERR_TYPE_TRANSPORT);
  assert_int_equal(p->ends[0].end.error_code, error_code);
  assert_null(p->ends[0].end.reason);
  end(p);
}

/* A client that offers nothing which the server speaks. */
static void test_no_application_protocol(void **state) {
  (void)state;
  check_refused_by_server(tls, "nonsense", 0x178);
}

/* A client that takes signatures by RSA alone. */
static void test_no_common_signature(void **state) {
  sim_tls *rsa;

  (void)state;
  assert_int_equal(sim_tls_new(&rsa), 0);
  assert_int_equal(
      wolfSSL_CTX_set1_sigalgs_list(rsa->ctx, "RSA-PSS+SHA256:RSA+SHA256"),
      WOLFSSL_SUCCESS);
  check_refused_by_server(rsa, "echo", 0x128);
  sim_tls_free(rsa);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_no_certificate),
      cmocka_unit_test(test_on_initial),
      cmocka_unit_test(test_swap_in_on_initial),
      cmocka_unit_test(test_full),
      cmocka_unit_test(test_shutdown),
      cmocka_unit_test(test_close_certificate),
      cmocka_unit_test(test_closed_is_small),
      cmocka_unit_test(test_closed_without_memory),
      cmocka_unit_test(test_close_certificate_in_handshake),
      cmocka_unit_test(test_close_certificate_without_memory),
      cmocka_unit_test(test_refused_by_client),
      cmocka_unit_test(test_alerts),
      cmocka_unit_test(test_silence),
      cmocka_unit_test(test_no_application_protocol),
      cmocka_unit_test(test_no_common_signature),
  };

  return cmocka_run_group_tests(tests, set_up, tear_down);
}
