/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time cut into windows of one length, and of each the largest latency in it:
 * what an event that takes a moment does to those who wait, against what the
 * machine does anyway.
 */
#ifndef TESTS_SIM_WINDOWS_H
#define TESTS_SIM_WINDOWS_H

#include <stddef.h>
#include <stdint.h>

typedef struct sim_window {
  /* Nanoseconds. */
  uint64_t worst;
  uint32_t offered;
  uint32_t echoed;
  /* The event was in it. */
  int marked;
} sim_window;

typedef struct sim_windows {
  /* Nanoseconds of the monotonic clock; set when it is known. */
  uint64_t start;
  uint64_t length;
  size_t count;
  sim_window *windows;
} sim_windows;

/* Of some values, in nanoseconds; signed for those that are differences. */
typedef struct sim_spread {
  size_t count;
  int64_t p50;
  int64_t p99;
  int64_t max;
} sim_spread;

/* Returns 0, or -1 for want of memory. */
int sim_windows_init(sim_windows *windows, uint64_t length, size_t count);
void sim_windows_free(sim_windows *windows);

/* The window of |at|; NULL before the first and after the last. */
sim_window *sim_windows_at(const sim_windows *windows, uint64_t at);

/* Marks all windows from that of |from| to that of |to|. */
void sim_windows_mark(sim_windows *windows, uint64_t from, uint64_t to);

/* Of the worst latencies of all windows that are |marked| or not, and in which
   something was offered.  Returns 0, or -1 for want of memory. */
int sim_windows_spread(sim_spread *spread, const sim_windows *windows,
                       int marked);

/* By how much the worst latency of a marked window is above that of the last
   window before it that is not. */
int sim_windows_excess(sim_spread *spread, const sim_windows *windows);

/* What was offered in the windows that are |marked| or not, and did not come
   back. */
uint64_t sim_windows_lost(const sim_windows *windows, int marked);

#endif
