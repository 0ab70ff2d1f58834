/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/windows.h"

#include <stdlib.h>
#include <string.h>

int sim_windows_init(sim_windows *windows, uint64_t length, size_t count) {
  windows->start = UINT64_MAX;
  windows->length = length;
  windows->count = count;
  windows->windows = calloc(count, sizeof(*windows->windows));
  return windows->windows == NULL ? -1 : 0;
}

void sim_windows_free(sim_windows *windows) {
  free(windows->windows);
  windows->windows = NULL;
  windows->count = 0;
}

sim_window *sim_windows_at(const sim_windows *windows, uint64_t at) {
  uint64_t i;

  if (at < windows->start) {
    return NULL;
  }
  i = (at - windows->start) / windows->length;
  return i < windows->count ? &windows->windows[i] : NULL;
}

void sim_windows_mark(sim_windows *windows, uint64_t from, uint64_t to) {
  uint64_t i;

  if (to < windows->start) {
    return;
  }
  i = from < windows->start ? 0 : (from - windows->start) / windows->length;
  for (; i < windows->count && windows->start + i * windows->length <= to;
       ++i) {
    windows->windows[i].marked = 1;
  }
}

static int compare(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

  return (x > y) - (x < y);
}

/* The smallest value that |percent| of all are not above. */
static int64_t percentile(const int64_t *values, size_t n, size_t percent) {
  size_t rank = (n * percent + 99) / 100;

  return values[rank > 0 ? rank - 1 : 0];
}

static void fill(sim_spread *spread, int64_t *values, size_t n) {
  memset(spread, 0, sizeof(*spread));
  spread->count = n;
  if (n > 0) {
    qsort(values, n, sizeof(*values), compare);
    spread->p50 = percentile(values, n, 50);
    spread->p99 = percentile(values, n, 99);
    spread->max = values[n - 1];
  }
}

/* |excess|: of the marked ones, less the one before that is not. */
static int spread_of(sim_spread *spread, const sim_windows *windows, int marked,
                     int excess) {
  const sim_window *before = NULL;
  int64_t *values = calloc(windows->count + 1, sizeof(*values));
  size_t n = 0;

  if (values == NULL) {
    return -1;
  }
  for (size_t i = 0; i < windows->count; ++i) {
    const sim_window *w = &windows->windows[i];

    if (w->offered == 0) {
      continue;
    }
    if (w->marked == marked && (!excess || before != NULL)) {
      values[n++] = (int64_t)w->worst - (excess ? (int64_t)before->worst : 0);
    }
    before = w->marked ? before : w;
  }
  fill(spread, values, n);
  free(values);
  return 0;
}

int sim_windows_spread(sim_spread *spread, const sim_windows *windows,
                       int marked) {
  return spread_of(spread, windows, marked, 0);
}

int sim_windows_excess(sim_spread *spread, const sim_windows *windows) {
  return spread_of(spread, windows, 1, 1);
}

uint64_t sim_windows_lost(const sim_windows *windows, int marked) {
  uint64_t lost = 0;

  for (size_t i = 0; i < windows->count; ++i) {
    const sim_window *w = &windows->windows[i];

    lost += w->marked == marked ? w->offered - w->echoed : 0;
  }
  return lost;
}
