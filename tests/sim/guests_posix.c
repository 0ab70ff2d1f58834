/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/guests_posix.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include "tests/sim/wait_posix.h"

#define SECOND UINT64_C(1000000000)
/* Octets of a visitor's stream; of who stays, with each datagram, and how many
   may be on their way. */
#define CHUNK 100
#define STREAM_WINDOW 65536
/* Of the pattern in the streams; a prime, so that nothing lines up. */
#define PERIOD 251

/* One connection with one session. */
typedef struct guest {
  guests *all;
  sim_socket sock;
  sim_client *client;
  int stays;
  /* What came or is due is to be sent on. */
  int dirty;
  /* It has its session; it needs nothing more. */
  int ready;
  int done;
  int64_t session;
  int64_t stream;
  uint64_t written;
  uint64_t echoed;
  /* When its next datagram is due; of a visitor, when it was due itself. */
  uint64_t due;
  /* What it knows. */
  uint64_t number;
  uint8_t second[32];
} guest;

struct guests {
  guests_config config;
  guests_counts counts;
  sim_windows *windows;
  sim_tls *tls;
  sim_random random;
  sim_batch batch;
  sim_arrivals arrivals;
  /* When the next visitor is due. */
  uint64_t visit_at;
  uint64_t interval;
  guest list[GUESTS_STAY_MAX + GUESTS_VISIT_MAX];
};

/* --- what comes ----------------------------------------------------------- */

static void on_handshake(sim_client *client, void *user) {
  guest *g = user;
  const sim_request request = {.authority = g->all->config.authority,
                               .path = g->all->config.path};

  (void)sim_client_session_open(client, &request, &g->session);
}

static void write_chunk(guest *g, int fin) {
  uint8_t data[CHUNK];

  for (size_t i = 0; i < sizeof(data); ++i) {
    data[i] = (uint8_t)((g->written + i) % PERIOD);
  }
  if (sim_client_stream_write(g->client, g->stream, data, sizeof(data), fin) ==
      0) {
    g->written += sizeof(data);
  }
}

static void on_answered(sim_client *client, int64_t session, int status,
                        void *user) {
  guest *g = user;

  if (status != 200 || sim_client_open_bidi(client, session, &g->stream) != 0) {
    sim_client_close(client, SIM_H3_NO_ERROR, NULL);
    return;
  }
  g->ready = 1;
  if (!g->stays) {
    write_chunk(g, 1);
  }
}

static void on_session_closed(sim_client *client, int64_t session, int by_peer,
                              uint32_t code, const char *reason, size_t len,
                              void *user) {
  (void)session, (void)by_peer, (void)code, (void)reason, (void)len;
  (void)user;
  /* Nobody has asked for it: on_closed() counts it. */
  sim_client_close(client, SIM_H3_NO_ERROR, NULL);
}

static void served(guest *g) {
  guests_counts *counts = &g->all->counts;
  const uint8_t *certificate = sim_client_certificate(g->client);

  g->done = 1;
  ++counts->served;
  counts->by_second +=
      certificate != NULL && memcmp(certificate, g->second, 32) == 0;
  sim_histogram_add(&counts->visit, sim_monotonic() - g->due);
  sim_client_close(g->client, SIM_H3_NO_ERROR, NULL);
}

static void on_stream_data(sim_client *client, int64_t stream,
                           const uint8_t *data, size_t len, int fin,
                           void *user) {
  guest *g = user;

  (void)client;
  if (stream != g->stream) {
    return;
  }
  for (size_t i = 0; i < len; ++i) {
    g->all->counts.wrong += data[i] != (g->echoed + i) % PERIOD;
  }
  g->echoed += len;
  g->all->counts.stream_octets += len;
  if (!g->stays && fin && g->echoed == CHUNK) {
    served(g);
  }
}

static void fill(uint8_t *data, size_t len, uint64_t due) {
  for (size_t i = 0; i < len; ++i) {
    data[i] = (uint8_t)((due >> (8 * (i % 8))) ^ (i >= 8));
  }
}

static void on_datagram(sim_client *client, int64_t session,
                        const uint8_t *data, size_t len, void *user) {
  guests *all = ((guest *)user)->all;
  uint8_t want[GUESTS_DATAGRAM_MAX];
  uint64_t due = 0, now = sim_monotonic();
  sim_window *w;

  (void)client, (void)session;
  for (size_t i = 0; i < 8 && i < len; ++i) {
    due |= (uint64_t)data[i] << (8 * i);
  }
  fill(want, all->config.size, due);
  w = sim_windows_at(all->windows, due);
  if (len != all->config.size || memcmp(data, want, len) != 0 || w == NULL ||
      due > now) {
    ++all->counts.wrong;
    return;
  }
  w->worst = now - due > w->worst ? now - due : w->worst;
  ++w->echoed;
  ++all->counts.datagrams_echoed;
  sim_histogram_add(&all->counts.datagram, now - due);
}

static void on_closed(sim_client *client, const sim_closed *closed,
                      void *user) {
  guest *g = user;

  (void)client;
  if (!g->done) {
    g->done = 1;
    g->all->counts.last = *closed;
    g->all->counts.last.reason = NULL;
    g->all->counts.last.reason_len = 0;
    ++*(g->stays ? &g->all->counts.dropped : &g->all->counts.failed);
  }
}

static const sim_callbacks callbacks = {
    .handshake_done = on_handshake,
    .session_answered = on_answered,
    .session_closed = on_session_closed,
    .stream_data = on_stream_data,
    .datagram = on_datagram,
    .closed = on_closed,
};

/* --- one guest ------------------------------------------------------------ */

static int begin(guests *all, guest *g, int stays, const guests_hashes *known,
                 uint64_t due, uint64_t now) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = g};
  sim_client_config config;
  ngtcp2_path path;

  memset(g, 0, sizeof(*g));
  g->all = all;
  g->stays = stays;
  g->session = g->stream = -1;
  g->due = due;
  g->number = known->number;
  memcpy(g->second, known->sha256[1], sizeof(g->second));
  if (sim_socket_open(&g->sock, &all->config.remote, all->config.remote_len) !=
      0) {
    return -1;
  }
  memset(&config, 0, sizeof(config));
  memset(&path, 0, sizeof(path));
  path.local.addr = &g->sock.local.sa;
  path.local.addrlen = all->config.remote_len;
  path.remote.addr = &g->sock.remote.sa;
  path.remote.addrlen = all->config.remote_len;
  config.mode = SIM_MODE_H3;
  config.alpn = "h3";
  config.hashes = known->sha256;
  config.nhashes = known->count;
  config.path = &path;
  config.datagram_queue = 256;
  config.handshake_timeout = all->config.patience;
  config.idle_timeout = 30 * SECOND + all->config.patience;
  config.tls = all->tls;
  config.random = &all->random;
  config.callbacks = callbacks;
  config.user = g;
  if (epoll_ctl(all->config.epoll_fd, EPOLL_CTL_ADD, g->sock.fd, &event) != 0 ||
      sim_client_new(&g->client, &config, now) != 0) {
    g->client = NULL;
    sim_socket_close(&g->sock);
    return -1;
  }
  g->dirty = 1;
  return 0;
}

static void end(guest *g) {
  sim_client_free(g->client);
  g->client = NULL;
  sim_socket_close(&g->sock);
}

static void flush(guest *g, uint64_t now) {
  sim_batch *batch = &g->all->batch;
  size_t n;

  batch->count = 0;
  while ((n = sim_client_send(g->client, batch->data[batch->count], 1500,
                              now)) > 0) {
    batch->len[batch->count++] = n;
    if (batch->count == SIM_BATCH) {
      sim_socket_send(&g->sock, batch);
    }
  }
  if (batch->count > 0) {
    sim_socket_send(&g->sock, batch);
  }
  g->dirty = 0;
}

static int sends(const guest *g, uint64_t stop) {
  return g->stays && g->ready && !g->done &&
         g->all->windows->start != UINT64_MAX && g->due < stop;
}

/* What one who stays sends at |now|. */
static void send_due(guest *g, uint64_t stop, uint64_t now) {
  guests *all = g->all;
  uint8_t data[GUESTS_DATAGRAM_MAX];

  for (; sends(g, stop) && g->due <= now; g->due += all->interval) {
    sim_window *w = sim_windows_at(all->windows, g->due);

    if (w == NULL) {
      continue;
    }
    fill(data, all->config.size, g->due);
    ++w->offered;
    ++all->counts.datagrams_offered;
    /* One that finds no room in the queue is lost, and counted so. */
    (void)sim_client_datagram(g->client, g->session, data, all->config.size);
    if (g->written - g->echoed < STREAM_WINDOW) {
      write_chunk(g, 0);
    }
    g->dirty = 1;
  }
}

static uint64_t run(guest *g, uint64_t stop, uint64_t now) {
  uint64_t deadline;

  send_due(g, stop, now);
  if (!g->stays && !g->done && now > g->due + g->all->config.patience) {
    sim_client_close(g->client, SIM_H3_NO_ERROR, NULL);
    g->dirty = 1;
  }
  if (g->dirty || sim_client_deadline(g->client) <= now) {
    flush(g, now);
  }
  if (sim_client_closed(g->client) != NULL) {
    end(g);
    return UINT64_MAX;
  }
  deadline = sim_client_deadline(g->client);
  return sends(g, stop) && g->due < deadline ? g->due : deadline;
}

/* --- all of them ---------------------------------------------------------- */

int guests_new(guests **pguests, const guests_config *config,
               sim_windows *windows) {
  guests *all = calloc(1, sizeof(*all));
  uint64_t seed;

  if (all == NULL) {
    return -1;
  }
  all->config = *config;
  all->windows = windows;
  all->interval = (uint64_t)(1e9 * (double)config->stay / config->rate);
  if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed) ||
      sim_tls_new(&all->tls) != 0) {
    free(all);
    return -1;
  }
  sim_random_seed(&all->random, seed);
  *pguests = all;
  return 0;
}

void guests_end(guests *all, uint64_t now) {
  for (size_t i = 0; i < sizeof(all->list) / sizeof(all->list[0]); ++i) {
    guest *g = &all->list[i];

    if (g->client != NULL) {
      all->counts.failed += !g->stays && !g->done;
      g->done = 1;
      sim_client_close(g->client, SIM_H3_NO_ERROR, NULL);
      flush(g, now);
      end(g);
    }
  }
}

void guests_free(guests *all) {
  if (all == NULL) {
    return;
  }
  for (size_t i = 0; i < sizeof(all->list) / sizeof(all->list[0]); ++i) {
    if (all->list[i].client != NULL) {
      end(&all->list[i]);
    }
  }
  sim_tls_free(all->tls);
  free(all);
}

int guests_begin(guests *all, const guests_hashes *known, uint64_t now) {
  for (size_t i = 0; i < all->config.stay; ++i) {
    if (begin(all, &all->list[i], 1, known, now, now) != 0) {
      return -1;
    }
  }
  return 0;
}

int guests_are_up(const guests *all) {
  for (size_t i = 0; i < all->config.stay; ++i) {
    if (!all->list[i].ready) {
      return 0;
    }
  }
  return 1;
}

static void let_in(guests *all, const guests_hashes *known, uint64_t stop,
                   uint64_t now) {
  size_t i = GUESTS_STAY_MAX;

  while (all->visit_at <= now && all->visit_at < stop) {
    while (i < GUESTS_STAY_MAX + GUESTS_VISIT_MAX &&
           all->list[i].client != NULL) {
      ++i;
    }
    ++all->counts.visits;
    if (i == GUESTS_STAY_MAX + GUESTS_VISIT_MAX ||
        begin(all, &all->list[i], 0, known, all->visit_at, now) != 0) {
      ++all->counts.unstarted;
    }
    all->visit_at += (uint64_t)(1e9 / all->config.visits);
  }
}

uint64_t guests_run(guests *all, const guests_hashes *known, uint64_t stop,
                    uint64_t now) {
  uint64_t deadline = UINT64_MAX, due;

  if (all->windows->start != UINT64_MAX && all->visit_at == 0) {
    /* The beginning.  Not all at the same moment. */
    all->visit_at = all->config.visits > 0 ? all->windows->start : UINT64_MAX;
    for (size_t i = 0; i < all->config.stay; ++i) {
      all->list[i].due =
          all->windows->start + i * all->interval / all->config.stay;
    }
  }
  if (all->visit_at != 0) {
    let_in(all, known, stop, now);
    deadline = all->visit_at < stop ? all->visit_at : UINT64_MAX;
  }
  for (size_t i = 0; i < sizeof(all->list) / sizeof(all->list[0]); ++i) {
    if (all->list[i].client != NULL) {
      due = run(&all->list[i], stop, now);
      deadline = due < deadline ? due : deadline;
    }
  }
  return deadline;
}

void guests_receive(guests *all, void *tag) {
  sim_arrivals *arrivals = &all->arrivals;
  guest *g = tag;

  if (g->client == NULL) {
    return;
  }
  do {
    uint64_t now = sim_monotonic();

    sim_socket_receive(&g->sock, arrivals);
    for (size_t i = 0; i < arrivals->count; ++i) {
      sim_client_receive(g->client, arrivals->data[i], arrivals->len[i], now);
    }
  } while (arrivals->more);
  g->dirty = 1;
}

size_t guests_visiting(const guests *all) {
  size_t n = 0;

  for (size_t i = 0; i < GUESTS_VISIT_MAX; ++i) {
    n += all->list[GUESTS_STAY_MAX + i].client != NULL;
  }
  return n;
}

size_t guests_behind(const guests *all, uint64_t number) {
  size_t n = 0;

  for (size_t i = 0; i < GUESTS_VISIT_MAX; ++i) {
    const guest *g = &all->list[GUESTS_STAY_MAX + i];

    n += g->client != NULL && !g->ready && !g->done && g->number < number;
  }
  return n;
}

const guests_counts *guests_count(const guests *all) { return &all->counts; }
