/* SPDX-License-Identifier: Apache-2.0 */
/* epoll_pwait2(2) */
#define _GNU_SOURCE

#include "tests/sim/wait_posix.h"

#include <time.h>

#define SECOND UINT64_C(1000000000)

uint64_t sim_monotonic(void) {
  struct timespec ts;

  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static struct timespec timespec_of(uint64_t nanoseconds) {
  return (struct timespec){(time_t)(nanoseconds / SECOND),
                           (long)(nanoseconds % SECOND)};
}

int sim_wait(int epoll_fd, struct epoll_event *events, int max,
             uint64_t deadline, uint64_t gather) {
  struct timespec ts = timespec_of(gather);
  uint64_t now;

  if (gather > 0) {
    /* A signal only makes it shorter. */
    (void)nanosleep(&ts, NULL);
  }
  now = sim_monotonic();
  ts = timespec_of(deadline > now ? deadline - now : 0);
  return epoll_pwait2(epoll_fd, events, max, &ts, NULL);
}
