/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole sessions in all weathers: each seed draws a network that loses,
 * delays, reorders, doubles and corrupts, has a small MTU and clients whose
 * address changes, and on it everything that an echo can do comes out right.
 *
 * A seed that fails is printed.  SIM_SEEDS=17 runs that one again, SIM_SEEDS=
 * 1000-1999 others.  Keys differ from run to run and with them the lengths of
 * a few packets, so a replay comes close and is not always the same.
 */
#include "tests/sim/check.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST 1
#define LAST 300
#define STREAMS 4
#define DATAGRAMS 20
#define PATIENCE (120 * SIM_SECOND)

typedef struct weather {
  sim_random random;
  sim_link up, down;
  /* The first 64 packets in each direction: set bits are lost. */
  uint64_t masks[2];
  size_t seen[2];
  /* Chance in a million that the address changes between two looks. */
  uint32_t rebinding;
  size_t rebindings;
  /* Not before this time. */
  uint64_t calm;
  /* But as often as it likes. */
  int storm;
  uint32_t migration;
} weather;

typedef struct place {
  uint64_t seed;
  weather weather;
  sim_world *world;
  sim_peer *peer;
  int64_t session;
  /* The client gave up. */
  int stalled;
} place;

static uint64_t between(sim_random *random, uint64_t from, uint64_t to) {
  return from + sim_random_below(random, to - from + 1);
}

static void draw_link(sim_random *random, sim_link *link) {
  static const size_t mtus[] = {0, 0, 1200, 1252, 1300, 1400};

  memset(link, 0, sizeof(*link));
  link->delay = between(random, 0, 80) * SIM_MILLISECOND;
  link->jitter = sim_random_below(random, 3) == 0
                     ? between(random, 0, 60) * SIM_MILLISECOND
                     : 0;
  link->loss = (uint32_t)between(random, 0, 2) * 40000;
  link->duplicate = (uint32_t)between(random, 0, 2) * 30000;
  link->corrupt = (uint32_t)between(random, 0, 2) * 15000;
  link->mtu = mtus[sim_random_size(random, sizeof(mtus) / sizeof(mtus[0]))];
}

static void draw(weather *w, uint64_t seed) {
  sim_random *random = &w->random;
  size_t i;

  memset(w, 0, sizeof(*w));
  sim_random_seed(random, seed);
  draw_link(random, &w->up);
  draw_link(random, &w->down);
  for (i = 0; i < 2; ++i) {
    switch (sim_random_below(random, 4)) {
    case 0:
      /* One in four. */
      w->masks[i] = sim_random_next(random) & sim_random_next(random);
      break;
    case 1:
      /* A hole. */
      w->masks[i] = UINT64_C(0xf) << sim_random_below(random, 60);
      break;
    case 2:
      /* A single one. */
      w->masks[i] = UINT64_C(1) << sim_random_below(random, 64);
      break;
    default:
      break;
    }
  }
  switch (sim_random_below(random, 4)) {
  case 0:
    w->rebinding = 300000;
    w->rebindings = 10;
    break;
  case 1:
    w->migration = 200000;
    break;
  default:
    break;
  }
}

static int lose(sim_network *network, const sim_packet *packet, void *user) {
  weather *w = user;
  size_t i = w->seen[packet->to_server]++;

  (void)network;
  return i < 64 && (w->masks[packet->to_server] >> i & 1) != 0;
}

/* A NAT forgets now and then; the client leaves its network once.  (ngtcp2 may
   count a connection ID that it has retired, and close with
   CONNECTION_ID_LIMIT_ERROR, if a path changes again while it still probes the
   one before the last.) */
static void change_address(place *p) {
  sim_network *network = p->world->network;
  sim_random *random = &p->weather.random;

  if (!p->peer->confirmed || p->peer->closed) {
    return;
  }
  if (p->weather.rebindings > 0 &&
      sim_network_now(network) >= p->weather.calm &&
      sim_random_chance(random, p->weather.rebinding)) {
    sim_network_rebind(network, p->peer->client);
    --p->weather.rebindings;
    if (!p->weather.storm) {
      p->weather.calm = sim_network_now(network) + 3 * SIM_SECOND;
    }
  }
  if (sim_random_chance(random, p->weather.migration) &&
      sim_network_migrate(network, p->peer->client) == 0) {
    p->weather.migration = 0;
  }
}

/* Runs until |condition| holds; the weather goes on. */
static int until(place *p, int (*condition)(place *p)) {
  sim_network *network = p->world->network;
  uint64_t end = sim_network_now(network) + PATIENCE;
  sim_random *random = &p->weather.random;

  while (!condition(p)) {
    if (sim_network_now(network) > end ||
        sim_world_pass(p->world, between(random, 1, 200) * SIM_MILLISECOND) !=
            0) {
      return -1;
    }
    change_address(p);
    p->stalled |= sim_peer_gives_up(p->peer, sim_network_now(network));
  }
  return 0;
}

static int is_up(place *p) { return p->peer->confirmed || p->peer->closed; }

static int is_answered(place *p) {
  return p->peer->closed ||
         sim_peer_find_session(p->peer, p->session)->answered;
}

static int is_closed(place *p) { return p->peer->closed; }
static int is_session_told(place *p) { return p->world->sessions_closed == 1; }
static int is_empty(place *p) {
  return quic_endpoint_connections(p->world->endpoint) == 0;
}

/* ---- An echo of everything ---- */

static uint8_t sent[2][STREAMS][40000];
static size_t sent_len[2][STREAMS];
static int64_t ids[STREAMS];
static uint8_t datagrams[DATAGRAMS][1000];
static size_t datagram_len[DATAGRAMS];

static void say_all(place *p, int64_t session) {
  sim_random *random = &p->weather.random;
  sim_client *client = p->peer->client;
  int64_t uni;
  size_t i;

  for (i = 0; i < STREAMS; ++i) {
    sent_len[0][i] = sim_random_size(random, sizeof(sent[0][0]));
    sent_len[1][i] = 1 + sim_random_size(random, sizeof(sent[1][0]) - 1);
    sim_random_fill(random, sent[0][i], sent_len[0][i]);
    sim_random_fill(random, sent[1][i], sent_len[1][i]);
    /* Which it is, on the other side. */
    sent[1][i][0] = (uint8_t)i;
    assert_int_equal(sim_client_open_bidi(client, session, &ids[i]), 0);
    assert_int_equal(
        sim_client_stream_write(client, ids[i], sent[0][i], sent_len[0][i], 1),
        0);
    assert_int_equal(sim_client_open_uni(client, session, &uni), 0);
    assert_int_equal(
        sim_client_stream_write(client, uni, sent[1][i], sent_len[1][i], 1), 0);
  }
  for (i = 0; i < DATAGRAMS; ++i) {
    datagram_len[i] = 1 + sim_random_size(random, sizeof(datagrams[0]) - 1);
    sim_random_fill(random, datagrams[i], datagram_len[i]);
    datagrams[i][0] = (uint8_t)i;
    sim_client_datagram(client, session, datagrams[i], datagram_len[i]);
  }
}

static int is_all_back(place *p) {
  size_t i;

  for (i = 0; i < STREAMS; ++i) {
    if (!sim_is_stream_ended(p->peer, ids[i])) {
      return p->peer->closed;
    }
  }
  return sim_is_server_streams(p->peer, STREAMS) || p->peer->closed;
}

static const char *check_all(const place *p, int64_t session) {
  const sim_peer *peer = p->peer;
  int seen[STREAMS] = {0}, came[DATAGRAMS] = {0};
  size_t i, k;

  for (i = 0; i < STREAMS; ++i) {
    const sim_peer_stream *stream = sim_peer_find_stream(p->peer, ids[i]);

    if (!stream->fin || stream->len != sent_len[0][i] ||
        memcmp(stream->data, sent[0][i], stream->len) != 0) {
      return "a bidirectional stream";
    }
  }
  for (i = 0; i < peer->nstreams; ++i) {
    const sim_peer_stream *stream = &peer->streams[i];

    if (!stream->by_server || stream->session != session) {
      continue;
    }
    k = stream->len ? stream->data[0] : STREAMS;
    if (k >= STREAMS || seen[k]++ || !stream->fin ||
        stream->len != sent_len[1][k] ||
        memcmp(stream->data, sent[1][k], stream->len) != 0) {
      return "a unidirectional stream";
    }
  }
  for (i = 0; i < peer->ndatagrams; ++i) {
    const sim_peer_datagram *datagram = &peer->datagrams[i];

    k = datagram->len ? datagram->data[0] : DATAGRAMS;
    if (k >= DATAGRAMS || came[k]++ || datagram->session != session ||
        datagram->len != datagram_len[k] ||
        memcmp(datagram->data, datagrams[k], datagram->len) != 0) {
      return "a datagram";
    }
  }
  return NULL;
}

/* What went wrong, or NULL. */
static const char *live(place *p, const char *alpn) {
  const sim_request request = {.authority = "localhost:4433", .path = "/echo"};
  sim_client_config config = sim_world_config(p->world);
  int h3 = strcmp(alpn, "h3") == 0;
  const char *wrong;
  size_t tries;

  config.alpn = alpn;
  config.mode = h3 ? SIM_MODE_H3 : SIM_MODE_RAW;
  config.scid_len = sim_random_below(&p->weather.random, 2) ? 8 : 0;
  /* A handshake may be lost as a whole; whoever wants something goes on. */
  for (tries = 0; p->peer == NULL || !p->peer->confirmed; ++tries) {
    p->peer = sim_world_add(p->world, &config);
    if (p->peer == NULL || tries == 4) {
      return "handshake";
    }
    if (until(p, is_up) != 0) {
      return "handshake without end";
    }
  }
  /* A client that only waits would never learn that its address changed. */
  ngtcp2_conn_set_keep_alive_timeout(sim_client_conn(p->peer->client),
                                     2 * SIM_SECOND);
  p->session = SIM_NO_SESSION;
  if (h3) {
    if (sim_client_session_open(p->peer->client, &request, &p->session) != 0 ||
        until(p, is_answered) != 0 || p->peer->closed ||
        sim_peer_find_session(p->peer, p->session)->status != 200) {
      return "session";
    }
  }
  say_all(p, p->session);
  if (until(p, is_all_back) != 0) {
    return "echo without end";
  }
  if (p->peer->closed) {
    return "closed";
  }
  wrong = check_all(p, p->session);
  if (wrong != NULL) {
    return wrong;
  }
  if (h3) {
    sim_client_session_close(p->peer->client, p->session, 4711, "so long");
    if (until(p, is_session_told) != 0 ||
        strcmp(p->world->last_close.by, "client") != 0 ||
        p->world->last_close.code != 4711 ||
        strcmp(p->world->last_close.reason, "so long") != 0) {
      /* The server may have given the connection up; the client hears it, or
         hears nothing more. */
      (void)until(p, is_closed);
      return "the session's end";
    }
  }
  sim_client_close(p->peer->client, SIM_H3_NO_ERROR, NULL);
  return until(p, is_empty) == 0 ? NULL : "the connection's end";
}

static int run(uint64_t seed, int storm, unsigned long long *stalled) {
  static const char *const alpns[] = {"h3", "h3", "h3", "echo"};
  place p = {.seed = seed};
  const char *wrong;

  draw(&p.weather, seed);
  if (storm) {
    p.weather.rebinding = 100000;
    p.weather.rebindings = 30;
    p.weather.storm = 1;
  }
  p.world = check_world(seed);
  sim_network_set_link(p.world->network, &p.weather.up, &p.weather.down);
  sim_network_set_filter(p.world->network, lose, &p.weather);
  wrong = live(&p, alpns[seed % 4]);
  *stalled += (unsigned long long)p.stalled;
  if (p.peer != NULL && p.peer->closed && (storm || p.stalled)) {
    wrong = NULL;
  }
  if (wrong != NULL) {
    fprintf(stderr, "SIM_SEEDS=%llu fails: %s", (unsigned long long)seed,
            wrong);
    if (p.peer != NULL && p.peer->closed) {
      fprintf(stderr, ", %s by %s with %d 0x%llx", "closed",
              p.peer->end.local ? "the client" : "the server",
              (int)p.peer->end.by, (unsigned long long)p.peer->end.error_code);
    }
    fprintf(stderr, "\n");
  }
  check_world_end(p.world);
  return wrong != NULL;
}

static unsigned long long run_all(int storm) {
  const char *text = getenv("SIM_SEEDS");
  unsigned long long first = FIRST, last = storm ? LAST / 3 : LAST;
  unsigned long long seed, failed = 0, stalled = 0;

  if (text != NULL && sscanf(text, "%llu-%llu", &first, &last) == 1) {
    last = first;
  }
  for (seed = first; seed <= last; ++seed) {
    failed += (unsigned long long)run(seed, storm, &stalled);
  }
  /* It must stay the rare accident that it is. */
  if (stalled > 1 + (last - first) / (storm ? 25 : 100)) {
    fprintf(stderr, "%llu clients gave up\n", stalled);
    ++failed;
  }
  return failed;
}

static void test_seeds(void **state) {
  (void)state;
  assert_int_equal(run_all(0), 0);
}

/* Addresses that change again and again while packets are lost: not every
   session survives that, but each comes to an end, and the client knows. */
static void test_restless_addresses(void **state) {
  (void)state;
  assert_int_equal(run_all(1), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_seeds),
      cmocka_unit_test(test_restless_addresses),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
