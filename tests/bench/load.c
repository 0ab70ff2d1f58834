/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load: puts a QUIC or WebTransport server under load and says what came back.
 *
 *   load https://127.0.0.1:4433/echo --hash HEX --mode streams
 *
 * Any server will do that takes sessions of draft-02, as browsers open them,
 * and has an echo, a sink or a source as workload.h describes them.
 *
 * One thread, one UDP socket for each connection, one JSON object on standard
 * output.  Everything counted was seen to come back: with no server there the
 * figures are 0.  It ends by itself: one second after the duration, which
 * begins when all connections are up, or when they have had their time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "tests/sim/load_options_posix.h"
#include "tests/sim/raw_load_posix.h"
#include "tests/sim/socket_posix.h"
#include "tests/sim/wait_posix.h"
#include "tests/sim/workload.h"

#define SECOND UINT64_C(1000000000)
/* For the last echoes to come back. */
#define DRAIN_TIME (1 * SECOND)
/* That are on their way up at a time, of those that are to stay. */
#define CONNECTING_MAX 64

typedef struct link_state {
  sim_socket sock;
  sim_client *client;
  sim_worker *worker;
  /* Something came, or is due. */
  int dirty;
} link_state;

static sim_load_options opts;
static sim_load load;
static sim_batch batch;
static sim_arrivals arrivals;
static sim_random randomness;
static sim_tls *tls;
static sim_address remote;
static socklen_t remote_len;
static int epoll_fd;
static uint64_t sockets_failed;
/* Of those that were idle, how many were there at the end. */
static size_t sessions_up;
/* Of the connections that were up at the end, for the way to the server. */
static uint64_t packets_sent;
static uint64_t packets_lost;
static uint64_t rtt_sum;
static uint64_t rtt_count;

/* Connections */

static void drop_client(link_state *link) {
  if (link->client == NULL) {
    return;
  }
  sim_client_free(link->client);
  link->client = NULL;
  sim_socket_close(&link->sock);
}

static int begin_client(link_state *link, uint64_t now) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = link};
  sim_client_config config;
  ngtcp2_path path;

  if (sim_socket_open(&link->sock, &remote, remote_len) != 0 ||
      epoll_ctl(epoll_fd, EPOLL_CTL_ADD, link->sock.fd, &event) != 0) {
    ++sockets_failed;
    return -1;
  }
  memset(&config, 0, sizeof(config));
  memset(&path, 0, sizeof(path));
  path.local.addr = &link->sock.local.sa;
  path.local.addrlen = remote_len;
  path.remote.addr = &link->sock.remote.sa;
  path.remote.addrlen = remote_len;
  config.mode = load.config.raw ? SIM_MODE_RAW : SIM_MODE_H3;
  config.alpn = opts.alpn;
  config.hashes = opts.hashes;
  config.nhashes = opts.nhashes;
  config.path = &path;
  config.datagram_queue = 256;
  config.tls = tls;
  config.random = &randomness;
  config.callbacks = sim_worker_callbacks;
  config.user = link->worker;
  if (sim_client_new(&link->client, &config, now) != 0) {
    sim_socket_close(&link->sock);
    ++sockets_failed;
    return -1;
  }
  sim_worker_begin(link->worker, link->client, now);
  link->dirty = 1;
  return 0;
}

static void receive(link_state *link) {
  size_t i;

  do {
    uint64_t now = sim_monotonic();

    sim_socket_receive(&link->sock, &arrivals);
    sim_worker_tick(link->worker, now);
    for (i = 0; i < arrivals.count; ++i) {
      sim_client_receive(link->client, arrivals.data[i], arrivals.len[i], now);
    }
  } while (arrivals.more);
  link->dirty = 1;
}

static void flush(link_state *link, uint64_t now) {
  size_t n;

  sim_worker_run(link->worker, now);
  batch.count = 0;
  while ((n = sim_client_send(link->client, batch.data[batch.count], 1500,
                              now)) > 0) {
    batch.len[batch.count++] = n;
    if (batch.count == SIM_BATCH) {
      sim_socket_send(&link->sock, &batch);
      sim_worker_run(link->worker, now);
    }
  }
  if (batch.count > 0) {
    sim_socket_send(&link->sock, &batch);
  }
  link->dirty = 0;
}

static uint64_t link_deadline(const link_state *link) {
  uint64_t packets = sim_client_deadline(link->client);
  uint64_t work = sim_worker_deadline(link->worker);

  return packets < work ? packets : work;
}

static void wait_for(uint64_t deadline) {
  struct epoll_event events[64];
  link_state *link;
  int i, n = sim_wait(epoll_fd, events, 64, deadline, opts.gather);

  for (i = 0; i < n; ++i) {
    link = events[i].data.ptr;
    if (link->client != NULL) {
      receive(link);
    }
  }
}

/* Whether |link| goes on; otherwise it is free for another client. */
static int step(link_state *link, uint64_t now) {
  if (!link->dirty && link_deadline(link) > now) {
    return 1;
  }
  flush(link, now);
  if (sim_client_closed(link->client) == NULL) {
    return 1;
  }
  drop_client(link);
  return 0;
}

static void run(link_state *links) {
  int churn = load.config.mode == SIM_LOAD_HANDSHAKES ||
              load.config.mode == SIM_LOAD_SESSIONS;
  uint64_t now = sim_monotonic(), limit = now + (uint64_t)(opts.connect * 1e9),
           deadline, due;
  uint64_t duration = (uint64_t)(opts.duration * 1e9);
  size_t i, alive, ready, outstanding, begun = 0;

  load.start = load.stop = UINT64_MAX;
  if (churn) {
    load.start = now;
    load.stop = now + duration;
  }
  for (; begun < opts.connections && (churn || begun < CONNECTING_MAX);
       ++begun) {
    begin_client(&links[begun], now);
  }
  for (;;) {
    now = sim_monotonic();
    deadline = limit;
    alive = ready = outstanding = 0;
    for (i = 0; i < begun; ++i) {
      if (links[i].client == NULL || !step(&links[i], now)) {
        /* What fails at once is not to be tried in a tight loop. */
        if (!churn || now >= load.stop || load.failures > 1000 ||
            sockets_failed > 100 || begin_client(&links[i], now) != 0) {
          continue;
        }
        flush(&links[i], now);
      }
      ++alive;
      ready += (size_t)sim_worker_ready(links[i].worker);
      outstanding += sim_worker_outstanding(links[i].worker);
      due = link_deadline(&links[i]);
      deadline = due < deadline ? due : deadline;
    }
    if (begun < opts.connections && alive - ready < CONNECTING_MAX) {
      if (begin_client(&links[begun++], now) == 0) {
        continue;
      }
    }
    if (alive == 0) {
      return;
    }
    if (load.start == UINT64_MAX && begun == opts.connections &&
        ready == alive) {
      load.start = now;
      load.stop = now + duration;
      limit = load.stop + DRAIN_TIME;
      continue;
    }
    if (now >= load.stop &&
        (outstanding == 0 || now >= load.stop + DRAIN_TIME)) {
      return;
    }
    if (now >= limit && load.start == UINT64_MAX) {
      return;
    }
    if (load.stop > now && load.stop < deadline) {
      deadline = load.stop;
    }
    wait_for(deadline);
  }
}

static void finish(link_state *links) {
  uint64_t now = sim_monotonic();
  ngtcp2_conn_info info;
  size_t i;

  for (i = 0; i < opts.connections; ++i) {
    if (links[i].client != NULL) {
      sessions_up += load.config.mode == SIM_LOAD_IDLE &&
                     sim_worker_ready(links[i].worker);
      ngtcp2_conn_get_conn_info2(sim_client_conn(links[i].client), &info);
      packets_sent += info.pkt_sent;
      packets_lost += info.pkt_lost;
      rtt_sum += info.smoothed_rtt;
      ++rtt_count;
      sim_client_close(links[i].client, load.config.raw ? 0 : SIM_H3_NO_ERROR,
                       NULL);
      flush(&links[i], now);
      drop_client(&links[i]);
    }
  }
}

/* Output */

static void print_times(const char *name) {
  printf(",\"%s\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name,
         (double)sim_histogram_percentile(&load.times, 50) / 1e3,
         (double)sim_histogram_percentile(&load.times, 99) / 1e3,
         (double)load.times.max / 1e3);
}

static void print_result(double cpu) {
  double seconds = opts.duration;
  double lost =
      load.datagrams_offered == 0
          ? 0
          : 1 - (double)load.datagrams_echoed / (double)load.datagrams_offered;

  printf("{\"mode\":\"%s\",\"alpn\":\"%s\",\"connections\":%zu,"
         "\"seconds\":%.3f,\"served\":%s,\"failures\":%llu,"
         "\"wrong\":%llu,\"cpu_seconds\":%.3f",
         opts.mode, opts.alpn, opts.connections, seconds,
         load.start != UINT64_MAX &&
                 load.times.count + load.octets + sessions_up > 0
             ? "true"
             : "false",
         (unsigned long long)(load.failures + sockets_failed),
         (unsigned long long)load.wrong, cpu);
  if (load.failures > 0) {
    printf(",\"last_failure\":{\"kind\":%d,\"local\":%d,\"code\":%llu}",
           (int)load.last_failure.by, load.last_failure.local,
           (unsigned long long)load.last_failure.error_code);
  }
  if (rtt_count > 0) {
    printf(",\"packets_sent\":%llu,\"packets_lost\":%llu,\"srtt_us\":%.1f",
           (unsigned long long)packets_sent, (unsigned long long)packets_lost,
           (double)rtt_sum / (double)rtt_count / 1e3);
  }
  switch (load.config.mode) {
  case SIM_LOAD_HANDSHAKES:
  case SIM_LOAD_SESSIONS:
    printf(",\"%s\":%llu,\"per_second\":%.1f", opts.mode,
           (unsigned long long)(load.handshakes + load.sessions),
           (double)(load.handshakes + load.sessions) / seconds);
    print_times("latency_us");
    break;
  case SIM_LOAD_IDLE:
    printf(",\"sessions\":%zu", sessions_up);
    break;
  case SIM_LOAD_STREAM:
  case SIM_LOAD_UPLOAD:
  case SIM_LOAD_DOWNLOAD:
    printf(",\"streams\":%zu,\"octets\":%llu,"
           "\"megabytes_per_second\":%.2f,\"streams_done\":%llu,"
           "\"streams_per_second\":%.1f",
           load.config.streams, (unsigned long long)load.octets,
           (double)load.octets / seconds / 1e6,
           (unsigned long long)load.streams, (double)load.streams / seconds);
    if (load.streams > 0) {
      print_times("stream_us");
    }
    break;
  case SIM_LOAD_DATAGRAMS:
    printf(",\"size\":%zu,\"window\":%zu,\"rate\":%.0f,\"offered\":%llu,"
           "\"echoed\":%llu,\"unsent\":%llu,\"late\":%llu,\"loss\":%.6f,"
           "\"per_second\":%.1f",
           load.config.size, load.config.window, opts.rate,
           (unsigned long long)load.datagrams_offered,
           (unsigned long long)load.datagrams_echoed,
           (unsigned long long)load.datagrams_unsent,
           (unsigned long long)load.datagrams_late, lost,
           (double)load.datagrams_echoed / seconds);
    print_times("rtt_us");
    break;
  }
  printf("}\n");
}

static int run_quic(void) {
  link_state *links = calloc(opts.connections, sizeof(*links));
  size_t i;
  int rv = -1;

  if (links == NULL || sim_tls_new(&tls) != 0) {
    free(links);
    return -1;
  }
  for (i = 0; i < opts.connections; ++i) {
    links[i].sock.fd = -1;
    links[i].worker = sim_worker_new(&load);
    if (links[i].worker == NULL) {
      goto done;
    }
  }
  run(links);
  finish(links);
  rv = 0;
done:
  for (i = 0; i < opts.connections; ++i) {
    sim_worker_free(links[i].worker);
  }
  free(links);
  sim_tls_free(tls);
  return rv;
}

int main(int argc, char **argv) {
  struct rusage usage_end;
  uint64_t seed;
  double cpu;

  sim_load_options_parse(&opts, &load.config, argc, argv);
  if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
    return 1;
  }
  sim_random_seed(&randomness, seed);
  if (sim_address_resolve(&remote, &remote_len, opts.host, opts.port) != 0) {
    fprintf(stderr, "load: %s is no known host\n", opts.host);
    return 1;
  }
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0 ||
      (opts.raw ? sim_raw_load_run(&load, &remote, remote_len, opts.connections,
                                   (uint64_t)(opts.duration * 1e9), opts.gather)
                : run_quic()) != 0) {
    fprintf(stderr, "load: %s\n", strerror(errno));
    return 1;
  }
  getrusage(RUSAGE_SELF, &usage_end);
  cpu = (double)(usage_end.ru_utime.tv_sec + usage_end.ru_stime.tv_sec) +
        (double)(usage_end.ru_utime.tv_usec + usage_end.ru_stime.tv_usec) / 1e6;
  print_result(cpu);
  return 0;
}
