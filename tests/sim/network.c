/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/network.h"

#include "tests/sim/client_wire.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 64
/* Turns at one moment before somebody is said to spin. */
#define TURNS_MAX 20000

typedef struct flight {
  uint64_t arrival;
  /* Ties are broken by the order of departure. */
  uint64_t order;
  int to_server;
  udp_address client;
  uint8_t *data;
  size_t len;
} flight;

typedef struct node {
  sim_client *client;
  udp_address address;
} node;

typedef struct listener {
  udp_address address;
  sim_heard *heard;
} listener;

struct sim_network {
  sim_server server;
  uint64_t now;
  sim_random random;
  udp_address address;
  sim_link up;
  sim_link down;
  sim_filter filter;
  void *filter_user;

  node *nodes;
  size_t nnodes;
  size_t nodes_cap;
  listener *listeners;
  size_t nlisteners;
  uint32_t next_host;

  /* A heap by arrival. */
  flight *flights;
  size_t nflights;
  size_t flights_cap;
  uint64_t next_order;

  uint64_t delivered[2];
  const char *spinning;
  udp_datagram slots[BATCH];
  uint8_t octets[BATCH][UDP_RECEIVE_MAX];
};

sim_network *sim_network_new(const sim_server *server, uint64_t seed) {
  const sim_link link = {.delay = 10 * SIM_MILLISECOND};
  sim_network *network = calloc(1, sizeof(*network));

  if (network == NULL) {
    return NULL;
  }
  network->server = *server;
  network->now = SIM_SECOND;
  network->up = network->down = link;
  sim_random_seed(&network->random, seed);
  udp_address_parse(&network->address, "10.0.0.1", 4433);
  return network;
}

void sim_network_free(sim_network *network) {
  size_t i;

  if (network == NULL) {
    return;
  }
  for (i = 0; i < network->nnodes; ++i) {
    sim_client_free(network->nodes[i].client);
  }
  for (i = 0; i < network->nflights; ++i) {
    free(network->flights[i].data);
  }
  for (i = 0; i < network->nlisteners; ++i) {
    free(network->listeners[i].heard);
  }
  free(network->nodes);
  free(network->flights);
  free(network->listeners);
  free(network);
}

uint64_t sim_network_now(const sim_network *network) { return network->now; }

sim_random *sim_network_random(sim_network *network) {
  return &network->random;
}

const udp_address *sim_network_server_address(const sim_network *network) {
  return &network->address;
}

void sim_network_set_link(sim_network *network, const sim_link *up,
                          const sim_link *down) {
  network->up = *up;
  network->down = *down;
}

void sim_network_set_filter(sim_network *network, sim_filter filter,
                            void *user) {
  network->filter = filter;
  network->filter_user = user;
}

uint64_t sim_network_delivered(const sim_network *network, int to_server) {
  return network->delivered[to_server != 0];
}

const char *sim_network_spinning(const sim_network *network) {
  return network->spinning;
}

/* Room for one more in an array that doubles. */
static void *grow(void *array, size_t *cap, size_t count, size_t size) {
  void *bigger;
  size_t n;

  if (count < *cap) {
    return array;
  }
  n = *cap == 0 ? 16 : *cap * 2;
  bigger = realloc(array, n * size);
  if (bigger != NULL) {
    *cap = n;
  }
  return bigger;
}

/* The flights */

static int sooner(const flight *a, const flight *b) {
  return a->arrival != b->arrival ? a->arrival < b->arrival
                                  : a->order < b->order;
}

static int push(sim_network *network, int to_server, const udp_address *client,
                const uint8_t *data, size_t len, uint64_t arrival) {
  flight *flights, added;
  size_t i, parent;

  flights = grow(network->flights, &network->flights_cap, network->nflights,
                 sizeof(*flights));
  if (flights == NULL) {
    return SIM_ERR_NOMEM;
  }
  network->flights = flights;
  memset(&added, 0, sizeof(added));
  added.arrival = arrival;
  added.order = network->next_order++;
  added.to_server = to_server;
  added.client = *client;
  added.len = len;
  added.data = malloc(len > 0 ? len : 1);
  if (added.data == NULL) {
    return SIM_ERR_NOMEM;
  }
  memcpy(added.data, data, len);
  for (i = network->nflights++; i > 0; i = parent) {
    parent = (i - 1) / 2;
    if (!sooner(&added, &flights[parent])) {
      break;
    }
    flights[i] = flights[parent];
  }
  flights[i] = added;
  return 0;
}

static flight pop(sim_network *network) {
  flight *flights = network->flights;
  flight first = flights[0], last = flights[--network->nflights];
  size_t i = 0, child;

  while ((child = 2 * i + 1) < network->nflights) {
    if (child + 1 < network->nflights &&
        sooner(&flights[child + 1], &flights[child])) {
      ++child;
    }
    if (!sooner(&flights[child], &last)) {
      break;
    }
    flights[i] = flights[child];
    i = child;
  }
  flights[i] = last;
  return first;
}

/* Puts a packet on the link, with all that may happen there. */
static int launch(sim_network *network, int to_server,
                  const udp_address *client, const uint8_t *data, size_t len) {
  const sim_link *link = to_server ? &network->up : &network->down;
  const sim_packet packet = {to_server, client, data, len};
  sim_random *random = &network->random;
  uint8_t copy[65536];
  int copies, rv;

  if (network->filter != NULL &&
      network->filter(network, &packet, network->filter_user)) {
    return 0;
  }
  if ((link->mtu != 0 && len > link->mtu) ||
      sim_random_chance(random, link->loss)) {
    return 0;
  }
  copies = 1 + sim_random_chance(random, link->duplicate);
  while (copies-- > 0) {
    memcpy(copy, data, len);
    if (len > 0 && sim_random_chance(random, link->corrupt)) {
      copy[sim_random_size(random, len)] ^=
          (uint8_t)(1u << sim_random_below(random, 8));
    }
    rv = push(network, to_server, client, copy, len,
              network->now + link->delay +
                  sim_random_below(random, link->jitter + 1));
    if (rv != 0) {
      return rv;
    }
  }
  return 0;
}

int sim_network_inject(sim_network *network, const udp_address *from,
                       const uint8_t *data, size_t len, uint64_t delay) {
  return push(network, 1, from, data, len, network->now + delay);
}

/* The nodes */

udp_address sim_network_spare_address(sim_network *network) {
  udp_address address;

  memset(&address, 0, sizeof(address));
  ++network->next_host;
  address.in.sin_family = AF_INET;
  address.in.sin_addr.s_addr = htonl(0x0a010000u + network->next_host);
  address.in.sin_port = htons(50000);
  return address;
}

static node *find_node(const sim_network *network, const sim_client *client) {
  size_t i;

  for (i = 0; i < network->nnodes; ++i) {
    if (network->nodes[i].client == client) {
      return &network->nodes[i];
    }
  }
  return NULL;
}

int sim_network_add_client(sim_network *network,
                           const sim_client_config *config,
                           sim_client **pclient) {
  udp_address address = sim_network_spare_address(network);
  sim_client_config own = *config;
  ngtcp2_path path;
  node *nodes;
  int rv;

  nodes = grow(network->nodes, &network->nodes_cap, network->nnodes,
               sizeof(*nodes));
  if (nodes == NULL) {
    return SIM_ERR_NOMEM;
  }
  network->nodes = nodes;
  memset(&path, 0, sizeof(path));
  path.local.addr = &address.sa;
  path.local.addrlen = udp_address_len(&address);
  path.remote.addr = &network->address.sa;
  path.remote.addrlen = udp_address_len(&network->address);
  own.path = &path;
  own.random = &network->random;
  rv = sim_client_new(pclient, &own, network->now);
  if (rv != 0) {
    return rv;
  }
  nodes[network->nnodes].client = *pclient;
  nodes[network->nnodes].address = address;
  ++network->nnodes;
  return 0;
}

void sim_network_remove_client(sim_network *network, sim_client *client) {
  node *found = find_node(network, client);

  if (found == NULL) {
    return;
  }
  sim_client_free(client);
  *found = network->nodes[--network->nnodes];
}

const udp_address *sim_network_address(const sim_network *network,
                                       const sim_client *client) {
  const node *found = find_node(network, client);

  return found == NULL ? NULL : &found->address;
}

void sim_network_rebind(sim_network *network, sim_client *client) {
  node *found = find_node(network, client);

  if (found != NULL) {
    found->address.in.sin_port =
        htons((uint16_t)(ntohs(found->address.in.sin_port) + 1));
  }
}

int sim_network_migrate(sim_network *network, sim_client *client) {
  udp_address address = sim_network_spare_address(network);
  node *found = find_node(network, client);
  int rv;

  if (found == NULL) {
    return SIM_ERR_INVALID;
  }
  rv = sim_client_migrate(client, &address, network->now);
  if (rv == 0) {
    found->address = address;
  }
  return rv;
}

const sim_heard *sim_network_listen(sim_network *network,
                                    const udp_address *address) {
  listener *listeners =
      realloc(network->listeners,
              (network->nlisteners + 1) * sizeof(*network->listeners));
  sim_heard *heard = calloc(1, sizeof(*heard));

  if (listeners != NULL) {
    network->listeners = listeners;
  }
  if (listeners == NULL || heard == NULL) {
    free(heard);
    return NULL;
  }
  listeners[network->nlisteners].address = *address;
  listeners[network->nlisteners].heard = heard;
  ++network->nlisteners;
  return heard;
}

static void hear(sim_network *network, const flight *arrived) {
  sim_heard *heard;
  size_t i;

  for (i = 0; i < network->nlisteners; ++i) {
    if (udp_address_eq(&network->listeners[i].address, &arrived->client)) {
      heard = network->listeners[i].heard;
      ++heard->datagrams;
      heard->octets += arrived->len;
      heard->len = arrived->len < sizeof(heard->data) ? arrived->len
                                                      : sizeof(heard->data);
      memcpy(heard->data, arrived->data, heard->len);
      return;
    }
  }
}

/* The turns */

static int send_server(sim_network *network) {
  udp_batch out;
  size_t i;
  int more, rv, turns = 0;

  do {
    for (i = 0; i < BATCH; ++i) {
      network->slots[i].data = network->octets[i];
    }
    out.datagrams = network->slots;
    out.capacity = BATCH;
    out.count = 0;
    more = network->server.send(network->server.server, &out, network->now);
    for (i = 0; i < out.count; ++i) {
      rv = launch(network, 0, &out.datagrams[i].remote, out.datagrams[i].data,
                  out.datagrams[i].len);
      if (rv != 0) {
        return rv;
      }
    }
    if (++turns > TURNS_MAX) {
      network->spinning = "server";
      return -1;
    }
  } while (more);
  return 0;
}

static int send_clients(sim_network *network) {
  uint8_t buf[UDP_RECEIVE_MAX];
  size_t i, n;
  int rv, turns;

  for (i = 0; i < network->nnodes; ++i) {
    turns = 0;
    while (i < network->nnodes &&
           (n = sim_client_send(network->nodes[i].client, buf, 1500,
                                network->now)) > 0) {
      rv = launch(network, 1, &network->nodes[i].address, buf, n);
      if (rv != 0) {
        return rv;
      }
      if (++turns > TURNS_MAX) {
        network->spinning = "client";
        return -1;
      }
    }
  }
  return 0;
}

static void deliver_to_client(sim_network *network, const flight *arrived) {
  size_t i;

  for (i = 0; i < network->nnodes; ++i) {
    if (udp_address_eq(&network->nodes[i].address, &arrived->client)) {
      sim_client_receive(network->nodes[i].client, arrived->data, arrived->len,
                         network->now);
      return;
    }
  }
  hear(network, arrived);
}

/* Everything that has arrived by now; the server gets it in batches. */
static int deliver(sim_network *network) {
  udp_batch in = {network->slots, 0, BATCH};
  udp_datagram *slot;
  flight arrived;

  while (network->nflights > 0 && network->flights[0].arrival <= network->now) {
    arrived = pop(network);
    ++network->delivered[arrived.to_server];
    if (!arrived.to_server) {
      deliver_to_client(network, &arrived);
    } else if (arrived.len <= UDP_RECEIVE_MAX) {
      slot = &network->slots[in.count];
      slot->remote = arrived.client;
      slot->local = network->address;
      slot->ecn = 0;
      slot->data = network->octets[in.count];
      slot->len = arrived.len;
      memcpy(slot->data, arrived.data, arrived.len);
      ++in.count;
    }
    free(arrived.data);
    if (in.count == BATCH) {
      network->server.receive(network->server.server, &in, network->now);
      if (send_server(network) != 0) {
        return -1;
      }
      in.count = 0;
    }
  }
  if (in.count > 0) {
    network->server.receive(network->server.server, &in, network->now);
  }
  return 0;
}

static uint64_t next_event(sim_network *network, const char **who) {
  uint64_t next = UINT64_MAX, due;
  size_t i;

  *who = "network";
  if (network->nflights > 0) {
    next = network->flights[0].arrival;
  }
  for (i = 0; i < network->nnodes; ++i) {
    due = sim_client_deadline(network->nodes[i].client);
    if (due < next) {
      next = due;
      *who = "client";
    }
  }
  due = network->server.deadline(network->server.server);
  if (due < next) {
    next = due;
    *who = "server";
  }
  return next;
}

int sim_network_run(sim_network *network, int (*until)(void *user), void *user,
                    uint64_t time) {
  uint64_t end = network->now + time, next;
  unsigned int turns = 0;
  const char *who;

  for (;;) {
    if (deliver(network) != 0 || send_server(network) != 0 ||
        send_clients(network) != 0) {
      return -1;
    }
    if (until != NULL && until(user)) {
      return 0;
    }
    next = next_event(network, &who);
    if (next > end) {
      network->now = end;
      return 1;
    }
    if (next > network->now) {
      network->now = next;
      turns = 0;
    } else if (++turns > TURNS_MAX) {
      network->spinning = who;
      return -1;
    }
  }
}
