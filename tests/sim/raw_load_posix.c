/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/raw_load_posix.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/sim/wait_posix.h"

static sim_batch batch;
static sim_arrivals arrivals;

#define SECOND UINT64_C(1000000000)
#define RING 65536

typedef struct raw_link {
  sim_socket sock;
  uint64_t *due;
  uint64_t next, oldest;
  size_t outstanding;
  uint64_t next_due;
} raw_link;

static void raw_receive(sim_load *load, raw_link *link) {
  uint64_t number, now;
  size_t i;

  do {
    sim_socket_receive(&link->sock, &arrivals);
    now = sim_monotonic();
    for (i = 0; i < arrivals.count; ++i) {
      memcpy(&number, arrivals.data[i], sizeof(number));
      if (arrivals.len[i] != load->config.size || number >= link->next) {
        ++load->wrong;
      } else if (number < link->oldest || link->due[number % RING] == 0) {
        ++load->datagrams_late;
      } else {
        sim_histogram_add(&load->times, now - link->due[number % RING]);
        link->due[number % RING] = 0;
        --link->outstanding;
        ++load->datagrams_echoed;
      }
    }
  } while (arrivals.more);
}

static void raw_give_up(sim_load *load, raw_link *link, uint64_t now) {
  while (link->oldest < link->next) {
    uint64_t *due = &link->due[link->oldest % RING];

    if (*due != 0) {
      if (now < *due + load->config.patience &&
          link->next - link->oldest < RING) {
        return;
      }
      *due = 0;
      --link->outstanding;
      ++load->datagrams_lost;
    }
    ++link->oldest;
  }
}

static void raw_put(sim_load *load, raw_link *link, uint64_t due) {
  uint8_t *data = batch.data[batch.count];

  memcpy(data, &link->next, sizeof(link->next));
  batch.len[batch.count++] = load->config.size;
  link->due[link->next % RING] = due;
  ++link->next;
  ++link->outstanding;
  ++load->datagrams_offered;
  if (batch.count == SIM_BATCH) {
    sim_socket_send(&link->sock, &batch);
  }
}

/* Returns when it has something to do again. */
static uint64_t raw_send(sim_load *load, raw_link *link, uint64_t now) {
  uint64_t deadline = UINT64_MAX;

  raw_give_up(load, link, now);
  batch.count = 0;
  if (now < load->stop && load->config.interval == 0) {
    while (link->outstanding < load->config.window &&
           link->next - link->oldest < RING - 1) {
      raw_put(load, link, now);
    }
  } else if (now < load->stop) {
    while (link->next_due <= now && link->next_due < load->stop) {
      raw_put(load, link, link->next_due);
      link->next_due += load->config.interval;
    }
    deadline = link->next_due;
  }
  if (batch.count > 0) {
    sim_socket_send(&link->sock, &batch);
  }
  if (link->oldest < link->next) {
    uint64_t due = link->due[link->oldest % RING] + load->config.patience;

    deadline = due < deadline ? due : deadline;
  }
  return deadline;
}

int sim_raw_load_run(sim_load *load, const sim_address *remote,
                     socklen_t remote_len, size_t connections,
                     uint64_t duration, uint64_t gather) {
  raw_link *links = calloc(connections, sizeof(*links));
  struct epoll_event events[64], event = {.events = EPOLLIN};
  uint64_t now = sim_monotonic(), deadline, due;
  size_t i, outstanding;
  int n, epoll_fd = epoll_create1(EPOLL_CLOEXEC);

  if (links == NULL || epoll_fd < 0) {
    free(links);
    return -1;
  }
  load->start = now;
  load->stop = now + duration;
  for (i = 0; i < connections; ++i) {
    event.data.ptr = &links[i];
    links[i].next_due = now;
    links[i].due = calloc(RING, sizeof(uint64_t));
    if (links[i].due == NULL ||
        sim_socket_open(&links[i].sock, remote, remote_len) != 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, links[i].sock.fd, &event) != 0) {
      return -1;
    }
  }
  for (;;) {
    now = sim_monotonic();
    deadline = load->stop + SECOND;
    outstanding = 0;
    for (i = 0; i < connections; ++i) {
      due = raw_send(load, &links[i], now);
      deadline = due < deadline ? due : deadline;
      outstanding += links[i].outstanding;
    }
    if (now >= load->stop && (outstanding == 0 || now >= load->stop + SECOND)) {
      break;
    }
    n = sim_wait(epoll_fd, events, 64, deadline, gather);
    while (n-- > 0) {
      raw_receive(load, events[n].data.ptr);
    }
  }
  for (i = 0; i < connections; ++i) {
    /* What never came is lost too. */
    load->datagrams_lost += links[i].outstanding;
    sim_socket_close(&links[i].sock);
    free(links[i].due);
  }
  free(links);
  close(epoll_fd);
  return 0;
}
