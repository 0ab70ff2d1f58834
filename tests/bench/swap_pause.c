/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For how long a rotation keeps the thread of the loop from its packets:
 *
 *   build/native/swap_pause ROTATIONS [STATE-FOLDER]
 *
 * The appliance, without a network, is commanded to rotate, and stepped until
 * all is done and durable; of each rotation the longest single call counts, for
 * between two calls a host serves.  Prints one line of JSON: by the clock, with
 * all that the machine does besides, and by the thread's own processor time.
 */
#include "server/appliance.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SLOTS 4
#define ROTATIONS_MAX 100000

/* How long something took, in nanoseconds. */
typedef struct span {
  uint64_t wall;
  uint64_t cpu;
} span;

static appliance_time begin;

static uint64_t read_ns(clockid_t clock) {
  struct timespec ts;

  clock_gettime(clock, &ts);
  return (uint64_t)ts.tv_sec * NGTCP2_SECONDS + (uint64_t)ts.tv_nsec;
}

static uint64_t now_ns(void) { return read_ns(CLOCK_MONOTONIC); }

static span start(void) {
  span s = {now_ns(), read_ns(CLOCK_THREAD_CPUTIME_ID)};

  return s;
}

/* Keeps the longest since |from| in |*longest|. */
static void stop(span *longest, span from) {
  span to = start();

  to.wall -= from.wall;
  to.cpu -= from.cpu;
  longest->wall = to.wall > longest->wall ? to.wall : longest->wall;
  longest->cpu = to.cpu > longest->cpu ? to.cpu : longest->cpu;
}

static appliance_time now(void) {
  appliance_time t = {now_ns(), begin.wall};

  t.wall += (int64_t)((t.mono - begin.mono) / NGTCP2_SECONDS);
  return t;
}

static int compare(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

  return x < y ? -1 : x > y;
}

/* Steps until nothing is left to be done. */
static void settle(appliance *a, int fd, span *longest) {
  static uint8_t packets[SLOTS][UDP_SEND_MAX];
  udp_datagram slots[SLOTS] = {0};
  size_t i;

  for (i = 0; i < SLOTS; ++i) {
    slots[i].data = packets[i];
  }
  while (!appliance_is_settled(a)) {
    struct pollfd p = {fd, POLLIN, 0};
    udp_batch out = {slots, 0, SLOTS};
    appliance_time t = now();
    span from;

    if (appliance_deadline(a) > t.mono) {
      (void)poll(&p, 1, 10);
      t = now();
    }
    from = start();
    appliance_step(a, &t, NULL, &out);
    stop(longest, from);
  }
}

static int measure(appliance *a, int fd, uint64_t *wall, uint64_t *cpu,
                   size_t count) {
  cJSON *command = cJSON_Parse("{\"command\":\"rotate\",\"force\":true}");
  int rv = command ? 0 : -1;
  size_t i;

  for (i = 0; i < count && rv == 0; ++i) {
    appliance_time t = now();
    span longest = {0, 0}, from = start();
    cJSON *reply = appliance_command(a, command, &t);

    stop(&longest, from);
    rv = reply && !cJSON_HasObjectItem(reply, "error") ? 0 : -1;
    cJSON_Delete(reply);
    settle(a, fd, &longest);
    wall[i] = longest.wall;
    cpu[i] = longest.cpu;
  }
  cJSON_Delete(command);
  return rv;
}

static void print(const char *name, uint64_t *values, size_t count) {
  qsort(values, count, sizeof(*values), compare);
  printf("\"%s\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name,
         (double)values[count / 2] / 1000,
         (double)values[count * 99 / 100] / 1000,
         (double)values[count - 1] / 1000);
}

static cm_store *open_store(const char *path) {
  cm_store *posix = NULL, *store = NULL;

  if (cm_store_open_posix(&posix, path, &cm_random_system) != 0 ||
      cm_store_open_thread_posix(&store, posix) != 0) {
    fprintf(stderr, "swap_pause: %s\n", posix ? posix->message : path);
    cm_store_close(posix);
    return NULL;
  }
  return store;
}

int main(int argc, char **argv) {
  static const char *const hosts[] = {"localhost"};
  size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
  appliance_config config;
  appliance *a = NULL;
  span first = {0, 0};
  uint64_t *wall, *cpu;
  int rv = EXIT_FAILURE, fd;

  if (count < 1 || count > ROTATIONS_MAX || argc > 3) {
    fprintf(stderr, "usage: swap_pause ROTATIONS [STATE-FOLDER]\n");
    return 2;
  }
  begin.wall = time(NULL);
  begin.mono = now_ns();
  appliance_config_default(&config);
  config.hosts = hosts;
  config.nhosts = 1;
  config.port = 4433;
  wall = calloc(2 * count, sizeof(*wall));
  if (!wall) {
    return EXIT_FAILURE;
  }
  cpu = wall + count;
  config.store = argc > 2 ? open_store(argv[2]) : NULL;
  if (argc > 2 && !config.store) {
    goto done;
  }
  fd = config.store ? cm_store_thread_fd(config.store) : -1;
  if (appliance_new(&a, &config, &begin) != 0) {
    goto done;
  }
  settle(a, fd, &first);
  if (measure(a, fd, wall, cpu, count) == 0) {
    printf("{\"rotations\":%zu,", count);
    print("wall_us", wall, count);
    printf(",");
    print("cpu_us", cpu, count);
    printf("}\n");
    rv = EXIT_SUCCESS;
  }

done:
  appliance_free(a);
  cm_store_close(config.store);
  free(wall);
  return rv;
}
