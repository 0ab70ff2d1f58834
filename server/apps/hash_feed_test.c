/* SPDX-License-Identifier: Apache-2.0 */
#include "server/apps/hash_feed.h"

#include "server/http3/h3.h"
#include "server/quic/endpoint.h"
#include "tests/sim/check.h"

#include <stdlib.h>

#define NOT_BEFORE INT64_C(1795300000)
#define PEERS_MAX 4
#define PATIENCE (20 * SIM_SECOND)
/* Longer than the first flight, and than what a client below allows. */
#define LONG 60000

static cm_certificate certificate;
static sim_random source;
static const cm_random random_of_test = {sim_random_fill_user, &source};
static sim_tls *tls;

/* The server's memory.  While |armed|, the allocation number |fail_at|
   fails. */
typedef struct scarce {
  int armed;
  size_t count, fail_at, live;
} scarce;

typedef struct place {
  scarce memory;
  ngtcp2_mem mem;
  hash_feed feed;
  const app *apps[1];
  h3_service h3;
  quic_service services[1];
  quic_endpoint *endpoint;
  sim_network *network;
  sim_peer peers[PEERS_MAX];
  size_t npeers;
  /* What run_until() waits for. */
  sim_peer *peer;
  int64_t id;
  size_t want;
} place;

static int gives_out(scarce *s) { return s->armed && s->count++ == s->fail_at; }

static void *scarce_malloc(size_t size, void *user) {
  scarce *s = user;
  void *ptr = gives_out(s) ? NULL : malloc(size);

  s->live += ptr != NULL;
  return ptr;
}

static void *scarce_calloc(size_t nmemb, size_t size, void *user) {
  scarce *s = user;
  void *ptr = gives_out(s) ? NULL : calloc(nmemb, size);

  s->live += ptr != NULL;
  return ptr;
}

static void *scarce_realloc(void *old, size_t size, void *user) {
  scarce *s = user;
  void *ptr = gives_out(s) ? NULL : realloc(old, size);

  s->live += ptr != NULL && old == NULL;
  return ptr;
}

static void scarce_free(void *ptr, void *user) {
  scarce *s = user;

  s->live -= ptr != NULL;
  free(ptr);
}

static int set_up(void **state) {
  static const char *const hosts[] = {"localhost"};

  (void)state;
  sim_random_seed(&source, 8);
  if (tls_startup() != 0 || sim_tls_new(&tls) != 0) {
    return -1;
  }
  return cm_x509_mint(&certificate, hosts, 1, NOT_BEFORE,
                      NOT_BEFORE + CM_VALIDITY_MAX, &random_of_test);
}

static int tear_down(void **state) {
  (void)state;
  sim_tls_free(tls);
  tls_cleanup();
  return 0;
}

static int get(void *user, const char *path, char **pbody, size_t *plen,
               const char **content_type) {
  (void)user;
  (void)path;
  (void)pbody;
  (void)plen;
  (void)content_type;
  return 404;
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

static place *begin(void) {
  const tls_config alpn = {.alpn = "h3"};
  place *p = calloc(1, sizeof(*p));
  sim_server server = {receive, send_packets, deadline, NULL};
  quic_endpoint_config config;
  tls_context *context;

  assert_non_null(p);
  p->mem.user_data = &p->memory;
  p->mem.malloc = scarce_malloc;
  p->mem.calloc = scarce_calloc;
  p->mem.realloc = scarce_realloc;
  p->mem.free = scarce_free;
  hash_feed_init(&p->feed);
  p->apps[0] = hash_feed_app(&p->feed);
  p->h3.get = get;
  p->h3.webtransport.apps = p->apps;
  p->h3.webtransport.napps = 1;
  p->h3.webtransport.sessions_max = 4;
  p->services[0].protocol = &h3_protocol;
  p->services[0].service = &p->h3;
  memset(&config, 0, sizeof(config));
  config.mem = &p->mem;
  config.random = &random_of_test;
  quic_conn_limits_default(&config.limits);
  config.services = p->services;
  config.nservices = 1;
  config.connections_max = 100;
  assert_int_equal(tls_context_new(&context, &certificate, &alpn), 0);
  assert_int_equal(quic_endpoint_new(&p->endpoint, &config, context), 0);
  server.server = p->endpoint;
  p->network = sim_network_new(&server, 12);
  assert_non_null(p->network);
  return p;
}

static void end(place *p) {
  size_t i;

  sim_network_free(p->network);
  quic_endpoint_free(p->endpoint);
  assert_int_equal(hash_feed_sessions(&p->feed), 0);
  hash_feed_free(&p->feed);
  assert_int_equal(p->memory.live, 0);
  for (i = 0; i < p->npeers; ++i) {
    assert_false(p->peers[i].overflow);
    sim_peer_clear(&p->peers[i]);
  }
  free(p);
}

static sim_client_config config_of(sim_peer *peer) {
  sim_client_config config;

  memset(&config, 0, sizeof(config));
  config.mode = SIM_MODE_H3;
  config.alpn = "h3";
  config.server_name = "localhost";
  config.hashes = (const uint8_t(*)[32])certificate.sha256;
  config.nhashes = 1;
  config.tls = tls;
  config.callbacks = sim_peer_callbacks;
  config.user = peer;
  return config;
}

static void pass(place *p, uint64_t time) {
  assert_true(sim_network_run(p->network, NULL, NULL, time) >= 0);
}

static void run_until(place *p, int (*until)(void *user), sim_peer *peer,
                      int64_t id, size_t want) {
  p->peer = peer;
  p->id = id;
  p->want = want;
  assert_int_equal(sim_network_run(p->network, until, p, PATIENCE), 0);
}

static int is_handshake_done(void *user) {
  return ((place *)user)->peer->handshake_done;
}

static int is_answered(void *user) {
  const place *p = user;

  return sim_peer_find_session(p->peer, p->id)->answered;
}

static int is_ended(void *user) {
  const place *p = user;

  return sim_peer_find_stream(p->peer, p->id)->fin;
}

/* The documents that |peer| was told whole, in |session|. */
static size_t documents(const sim_peer *peer, int64_t session) {
  size_t i, n = 0;

  for (i = 0; i < peer->nstreams; ++i) {
    n += peer->streams[i].by_server && peer->streams[i].session == session &&
         peer->streams[i].fin;
  }
  return n;
}

static int is_told(void *user) {
  const place *p = user;

  return documents(p->peer, p->id) >= p->want;
}

/* The |n|th, or the last if |n| is too many. */
static const sim_peer_stream *document(const sim_peer *peer, int64_t session,
                                       size_t n) {
  const sim_peer_stream *found = NULL;
  size_t i;

  for (i = 0; i < peer->nstreams; ++i) {
    const sim_peer_stream *stream = &peer->streams[i];

    if (stream->by_server && stream->session == session && stream->fin &&
        (!found || n-- > 0)) {
      found = stream;
    }
  }
  assert_non_null(found);
  return found;
}

static void check_document(const sim_peer *peer, int64_t session, size_t n,
                           const char *text) {
  const sim_peer_stream *stream = document(peer, session, n);

  check_bytes(stream, text, strlen(text));
  /* Unidirectional, and the server's. */
  assert_int_equal(stream->id & 3, 3);
}

static sim_peer *connect_with(place *p, const sim_client_config *config) {
  sim_peer *peer = config->user;

  assert_int_equal(sim_network_add_client(p->network, config, &peer->client),
                   0);
  run_until(p, is_handshake_done, peer, 0, 0);
  return peer;
}

static sim_peer *connect_to(place *p) {
  sim_client_config config = config_of(&p->peers[p->npeers++]);

  assert_true(p->npeers <= PEERS_MAX);
  return connect_with(p, &config);
}

static int64_t open_session(place *p, sim_peer *peer) {
  const sim_request request = {.authority = "localhost:4433",
                               .path = HASH_FEED_PATH,
                               .origin = "https://example.org"};
  int64_t session;

  assert_int_equal(sim_client_session_open(peer->client, &request, &session),
                   0);
  run_until(p, is_answered, peer, session, 0);
  assert_int_equal(sim_peer_find_session(peer, session)->status, 200);
  return session;
}

static void publish(place *p, const char *text) {
  assert_int_equal(hash_feed_set(&p->feed, text, strlen(text)), 0);
}

/* The current one at once, then each new one; never the same twice. */
static void test_tells(void **state) {
  place *p = begin();
  sim_peer *peer;
  int64_t session, other;
  char text[] = "one";

  (void)state;
  publish(p, text);
  /* It was copied. */
  memset(text, 'x', 3);
  peer = connect_to(p);
  session = open_session(p, peer);
  run_until(p, is_told, peer, session, 1);
  check_document(peer, session, 0, "one");

  publish(p, "two");
  publish(p, "two");
  run_until(p, is_told, peer, session, 2);
  check_document(peer, session, 1, "two");
  pass(p, SIM_SECOND);
  assert_int_equal(documents(peer, session), 2);

  /* Who comes later gets the newest alone; each session its own. */
  other = open_session(p, peer);
  run_until(p, is_told, peer, other, 1);
  check_document(peer, other, 0, "two");
  publish(p, "three");
  run_until(p, is_told, peer, other, 2);
  run_until(p, is_told, peer, session, 3);
  check_document(peer, other, 1, "three");
  check_document(peer, session, 2, "three");
  assert_int_equal(hash_feed_sessions(&p->feed), 2);
  end(p);
}

/* A session waits for the first document; one that is withdrawn is not told,
   and the next is. */
static void test_nothing_published(void **state) {
  place *p = begin();
  sim_peer *peer = connect_to(p), *late;
  int64_t session = open_session(p, peer);

  (void)state;
  pass(p, SIM_SECOND);
  assert_int_equal(documents(peer, session), 0);
  assert_int_equal(hash_feed_set(&p->feed, "", 0), 0);
  publish(p, "one");
  run_until(p, is_told, peer, session, 1);

  assert_int_equal(hash_feed_set(&p->feed, NULL, 0), 0);
  late = connect_to(p);
  session = open_session(p, late);
  pass(p, SIM_SECOND);
  assert_int_equal(documents(late, session), 0);
  publish(p, "one");
  run_until(p, is_told, late, session, 1);
  check_document(late, session, 0, "one");
  end(p);
}

/* Whoever left is forgotten, whichever way. */
static void test_leaving(void **state) {
  place *p = begin();
  sim_peer *closing = connect_to(p), *gone = connect_to(p);
  sim_peer *staying = connect_to(p);
  int64_t session = open_session(p, staying), other;

  (void)state;
  other = open_session(p, closing);
  open_session(p, gone);
  assert_int_equal(hash_feed_sessions(&p->feed), 3);
  sim_client_session_close(closing->client, other, 7, "enough");
  pass(p, SIM_SECOND);
  assert_int_equal(hash_feed_sessions(&p->feed), 2);
  sim_client_close(gone->client, SIM_H3_NO_ERROR, NULL);
  pass(p, SIM_SECOND);
  assert_int_equal(hash_feed_sessions(&p->feed), 1);
  publish(p, "one");
  run_until(p, is_told, staying, session, 1);
  pass(p, SIM_SECOND);
  assert_int_equal(documents(closing, other), 0);
  end(p);
}

/* A client that allows no stream is told the newest when it does. */
static void test_blocked(void **state) {
  static uint8_t text[LONG];
  place *p = begin();
  sim_peer *peer = &p->peers[p->npeers++];
  sim_client_config config = config_of(peer);
  int64_t session;
  char name[] = "document 0";

  (void)state;
  config.max_streams = 1;
  config.stream_window = 1000;
  memset(text, 'a', sizeof(text));
  connect_with(p, &config);
  session = open_session(p, peer);
  assert_int_equal(hash_feed_set(&p->feed, (const char *)text, LONG), 0);
  pass(p, 15 * SIM_MILLISECOND);
  /* In the middle of the first. */
  for (; name[9] < '9'; ++name[9]) {
    size_t live = p->memory.live;

    publish(p, name);
    pass(p, SIM_MILLISECOND);
    assert_true(p->memory.live <= live + 2);
  }
  assert_int_equal(documents(peer, session), 0);
  run_until(p, is_told, peer, session, 2);
  pass(p, SIM_SECOND);
  assert_int_equal(documents(peer, session), 2);
  check_bytes(document(peer, session, 0), text, sizeof(text));
  check_document(peer, session, 1, "document 8");
  end(p);
}

/* A client that does not want to hear more of one may hear of the next. */
static void test_stopped(void **state) {
  static uint8_t text[LONG];
  place *p = begin();
  sim_peer *peer = &p->peers[p->npeers++];
  sim_client_config config = config_of(peer);
  int64_t session;
  size_t i;

  (void)state;
  config.stream_window = 1000;
  config.hold_windows = 1;
  connect_with(p, &config);
  session = open_session(p, peer);
  assert_int_equal(hash_feed_set(&p->feed, (const char *)text, LONG), 0);
  pass(p, SIM_SECOND);
  publish(p, "next");
  pass(p, SIM_SECOND);
  assert_int_equal(documents(peer, session), 0);
  for (i = 0; i < peer->nstreams; ++i) {
    if (peer->streams[i].by_server && peer->streams[i].session == session) {
      assert_int_equal(
          sim_client_stream_stop(peer->client, peer->streams[i].id, 1), 0);
    }
  }
  run_until(p, is_told, peer, session, 1);
  check_document(peer, session, 0, "next");
  end(p);
}

/* What clients send is dropped and credited: more streams and octets than are
   allowed at once, to the end of each. */
static void test_clients_that_talk(void **state) {
  static const uint8_t text[30000];
  place *p = begin();
  sim_peer *peer = connect_to(p);
  int64_t session = open_session(p, peer), id;
  int i;

  (void)state;
  for (i = 0; i < 150; ++i) {
    assert_int_equal(sim_client_open_bidi(peer->client, session, &id), 0);
    assert_int_equal(
        sim_client_stream_write(peer->client, id, text, sizeof(text), 1), 0);
    run_until(p, is_ended, peer, id, 0);
    assert_int_equal(sim_peer_find_stream(peer, id)->len, 0);
    assert_int_equal(sim_client_open_uni(peer->client, session, &id), 0);
    assert_int_equal(
        sim_client_stream_write(peer->client, id, text, sizeof(text), i % 2),
        0);
    if (i % 2 == 0) {
      sim_client_stream_reset(peer->client, id, 1);
    }
    assert_int_equal(sim_client_open_bidi(peer->client, session, &id), 0);
    /* Half of them say something first. */
    sim_client_stream_write(peer->client, id, text, (size_t)(i % 2), 0);
    pass(p, 20 * SIM_MILLISECOND);
    sim_client_stream_reset(peer->client, id, 1);
    run_until(p, is_ended, peer, id, 0);
    assert_int_equal(
        sim_client_datagram(peer->client, session, (const uint8_t *)"d", 1), 0);
  }
  publish(p, "one");
  run_until(p, is_told, peer, session, 1);
  assert_false(peer->closed);
  end(p);
}

/* A stream that came before its session, and ends without a word. */
static void test_early_stream(void **state) {
  const sim_request request = {.authority = "localhost:4433",
                               .path = HASH_FEED_PATH};
  place *p = begin();
  sim_peer *peer = connect_to(p);
  int64_t session, id;

  (void)state;
  assert_int_equal(sim_client_session_reserve(peer->client, &session), 0);
  assert_int_equal(sim_client_open_bidi(peer->client, session, &id), 0);
  pass(p, 100 * SIM_MILLISECOND);
  assert_int_equal(sim_client_session_request(peer->client, session, &request),
                   0);
  run_until(p, is_answered, peer, session, 0);
  sim_client_stream_reset(peer->client, id, 1);
  run_until(p, is_ended, peer, id, 0);
  end(p);
}

/* Plays with one allocation failing; returns how many there were. */
static size_t play_once(size_t fail_at) {
  place *p = begin();
  sim_peer *peer = connect_to(p), *other;
  const sim_request request = {.authority = "localhost:4433",
                               .path = HASH_FEED_PATH};
  int64_t session, id;
  size_t total;

  publish(p, "one");
  pass(p, 100 * SIM_MILLISECOND);
  p->memory.fail_at = fail_at;
  p->memory.armed = 1;
  if (sim_client_session_open(peer->client, &request, &session) == 0) {
    pass(p, 100 * SIM_MILLISECOND);
  }
  publish(p, "two");
  pass(p, 100 * SIM_MILLISECOND);
  if (!peer->closed && sim_client_open_bidi(peer->client, session, &id) == 0) {
    sim_client_stream_write(peer->client, id, (const uint8_t *)"x", 1, 0);
  }
  publish(p, "three");
  pass(p, 100 * SIM_MILLISECOND);
  p->memory.armed = 0;
  total = p->memory.count;

  /* It may have missed one, or been closed; no more than that. */
  publish(p, "four");
  if (!peer->closed) {
    run_until(p, is_told, peer, session, 1);
    pass(p, SIM_SECOND);
    check_document(peer, session, SIM_PEER_STREAMS, "four");
  }
  other = connect_to(p);
  session = open_session(p, other);
  run_until(p, is_told, other, session, 1);
  check_document(other, session, 0, "four");
  end(p);
  return total;
}

static void test_each_allocation(void **state) {
  size_t total = play_once(SIZE_MAX), fail_at;

  (void)state;
  assert_true(total > 20);
  for (fail_at = 0; fail_at < total; ++fail_at) {
    play_once(fail_at);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tells),
      cmocka_unit_test(test_nothing_published),
      cmocka_unit_test(test_leaving),
      cmocka_unit_test(test_blocked),
      cmocka_unit_test(test_stopped),
      cmocka_unit_test(test_clients_that_talk),
      cmocka_unit_test(test_early_stream),
      cmocka_unit_test(test_each_allocation),
  };

  return cmocka_run_group_tests(tests, set_up, tear_down);
}
