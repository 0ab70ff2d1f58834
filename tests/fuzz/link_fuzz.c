/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real client and the server, with real TLS and real protection, and a link
 * that does what the input says to one packet after the other: lets it through,
 * loses it, changes a bit of it, sends it again later or from elsewhere, cuts
 * it off, or gives the client another port.  When the input is at its end the
 * link is a good one: then either the connection has ended, or every octet
 * comes back.
 */
#include "server/apps/echo.h"
#include "server/http3/h3.h"
#include "server/quic/endpoint.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/plain.h"
#include "tests/sim/network.h"
#include "tests/sim/peer.h"

#include <stdlib.h>
#include <string.h>

#define NOT_BEFORE INT64_C(1795300000)
#define STREAMS 3
#define STREAM_LEN 5000
/* Virtual: more than handshake and idle timeouts together. */
#define PATIENCE (200 * SIM_SECOND)

typedef struct place {
  quic_endpoint *endpoint;
  sim_network *network;
  sim_peer *peer;
  fuzz_input script;
  int64_t session;
  int64_t streams[STREAMS];
  size_t nstreams;
  uint8_t sent[STREAM_LEN];
} place;

static cm_certificate certificate;
static sim_tls *client_tls;

static void begin(void) {
  static const char *const hosts[] = {"localhost"};

  if (client_tls) {
    return;
  }
  fuzz_seed(1);
  FUZZ_CHECK(tls_startup() == 0);
  FUZZ_CHECK(sim_tls_new(&client_tls) == 0);
  FUZZ_CHECK(cm_x509_mint(&certificate, hosts, 1, NOT_BEFORE,
                          NOT_BEFORE + CM_VALIDITY_MAX, &fuzz_random) == 0);
}

static void receive(void *server, udp_batch *in, uint64_t now) {
  quic_endpoint_receive(((place *)server)->endpoint, in, now);
}

static int send_packets(void *server, udp_batch *out, uint64_t now) {
  return quic_endpoint_send(((place *)server)->endpoint, out, now);
}

static uint64_t deadline(void *server) {
  return quic_endpoint_deadline(((place *)server)->endpoint);
}

static void on_end(void *user, const quic_conn *conn,
                   const quic_conn_end *end) {
  (void)user;
  (void)conn;
  FUZZ_CHECK(end->by_peer || end->type != NGTCP2_CCERR_TYPE_TRANSPORT ||
             end->error_code != NGTCP2_INTERNAL_ERROR);
  FUZZ_CHECK(end->by_peer || end->type != NGTCP2_CCERR_TYPE_APPLICATION ||
             end->error_code != NGHTTP3_H3_INTERNAL_ERROR);
}

/* What becomes of one packet. */
static int filter(sim_network *network, const sim_packet *packet, void *user) {
  place *p = user;
  fuzz_input *in = &p->script;
  uint8_t *copy, how;
  udp_address from;
  size_t len;

  if (!in->len) {
    return 0;
  }
  how = fuzz_u8(in);
  if (how < 0x80) {
    return 0;
  }
  if (!packet->to_server || how < 0xa0) {
    return 1;
  }
  copy = malloc(packet->len);
  FUZZ_CHECK(copy != NULL);
  memcpy(copy, packet->data, packet->len);
  from = *packet->client;
  len = packet->len;
  if (how < 0xc0) {
    copy[fuzz_u16(in) % len] ^= (uint8_t)(1u << (how & 7));
  } else if (how < 0xd0) {
    len = 1 + fuzz_u16(in) % len;
  } else if (how < 0xe0) {
    from = sim_network_spare_address(network);
  } else if (how < 0xe8) {
    sim_network_rebind(network, p->peer->client);
  }
  /* Else it comes twice. */
  FUZZ_CHECK(sim_network_inject(network, &from, copy, len,
                                SIM_MILLISECOND << (how & 7)) == 0);
  free(copy);
  return how < 0xd0;
}

static int is_answered(void *user) {
  const place *p = user;

  return p->peer->closed ||
         sim_peer_find_session(p->peer, p->session)->answered;
}

static int is_echoed(void *user) {
  const place *p = user;
  size_t i, n = 0;

  (void)sim_peer_gives_up(p->peer, sim_network_now(p->network));
  for (i = 0; i < p->nstreams; ++i) {
    const sim_peer_stream *stream =
        sim_peer_find_stream(p->peer, p->streams[i]);

    n += stream->fin || stream->reset;
  }
  return p->peer->closed || n == p->nstreams;
}

static void talk(place *p) {
  size_t i;

  FUZZ_CHECK(sim_network_run(p->network, is_answered, p, PATIENCE) == 0);
  if (p->peer->closed) {
    return;
  }
  for (i = 0; i < STREAMS; ++i) {
    int64_t id;

    if (sim_client_open_bidi(p->peer->client, p->session, &id) != 0) {
      break;
    }
    FUZZ_CHECK(sim_client_stream_write(p->peer->client, id, p->sent, STREAM_LEN,
                                       1) == 0);
    p->streams[p->nstreams++] = id;
    (void)sim_client_datagram(p->peer->client, p->session, p->sent, 100);
  }
  FUZZ_CHECK(sim_network_run(p->network, is_echoed, p, PATIENCE) == 0);
  if (p->peer->closed) {
    return;
  }
  for (i = 0; i < p->nstreams; ++i) {
    const sim_peer_stream *stream =
        sim_peer_find_stream(p->peer, p->streams[i]);

    FUZZ_CHECK(stream->fin && stream->len == STREAM_LEN);
    FUZZ_CHECK(memcmp(stream->data, p->sent, STREAM_LEN) == 0);
  }
}

static void open_session(sim_client *client, void *user) {
  const sim_request request = {.authority = "localhost:4433", .path = "/echo"};
  sim_peer *peer = user;
  int64_t session;
  (void)client;

  peer->handshake_done = 1;
  (void)sim_client_session_open(peer->client, &request, &session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const app *const apps[] = {&app_echo};
  const tls_config config = {"h3", TLS_PREFER_AES_GCM, NULL, NULL};
  h3_service h3 = {
      .webtransport = {.apps = apps, .napps = 1, .sessions_max = 4}};
  const quic_service service = {&h3_protocol, &h3};
  quic_endpoint_config endpoint;
  sim_client_config client;
  sim_server server = {receive, send_packets, deadline, NULL};
  tls_context *tls;
  place p;

  begin();
  fuzz_plain(FUZZ_PLAIN_NOTHING, "");
  fuzz_seed(2);
  memset(&p, 0, sizeof(p));
  p.script = (fuzz_input){data, size};
  p.peer = calloc(1, sizeof(*p.peer));
  FUZZ_CHECK(p.peer != NULL);
  fuzz_random.fill(fuzz_random.user, p.sent, sizeof(p.sent));
  FUZZ_CHECK(tls_context_new(&tls, &certificate, &config) == 0);
  memset(&endpoint, 0, sizeof(endpoint));
  endpoint.random = &fuzz_random;
  quic_conn_limits_default(&endpoint.limits);
  endpoint.services = &service;
  endpoint.nservices = 1;
  endpoint.connections_max = 16;
  endpoint.retry =
      size && data[0] & 1 ? QUIC_RETRY_ALWAYS : QUIC_RETRY_WHEN_BUSY;
  endpoint.on_end = on_end;
  FUZZ_CHECK(quic_endpoint_new(&p.endpoint, &endpoint, tls) == 0);
  server.server = &p;
  p.network = sim_network_new(&server, 3);
  FUZZ_CHECK(p.network != NULL);
  sim_network_set_filter(p.network, filter, &p);

  memset(&client, 0, sizeof(client));
  client.alpn = "h3";
  client.server_name = "localhost";
  client.hashes = (const uint8_t(*)[32]) & certificate.sha256;
  client.nhashes = 1;
  client.tls = client_tls;
  client.callbacks = sim_peer_callbacks;
  client.callbacks.handshake_done = open_session;
  client.user = p.peer;
  FUZZ_CHECK(sim_network_add_client(p.network, &client, &p.peer->client) == 0);
  /* The first stream of a client. */
  p.session = 0;
  talk(&p);

  sim_network_free(p.network);
  quic_endpoint_free(p.endpoint);
  sim_peer_clear(p.peer);
  free(p.peer);
  return 0;
}
