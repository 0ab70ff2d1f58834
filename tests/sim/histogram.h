/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts of durations, in classes that grow with the duration: each is at
 * most 1.6 % wide.  Fixed size, no allocation, and adding costs nothing worth
 * measuring.
 */
#ifndef TESTS_SIM_HISTOGRAM_H
#define TESTS_SIM_HISTOGRAM_H

#include <stdint.h>

#define SIM_HISTOGRAM_CLASSES (59 * 64)

typedef struct sim_histogram {
  uint64_t count;
  uint64_t max;
  uint64_t classes[SIM_HISTOGRAM_CLASSES];
} sim_histogram;

/* |histogram| begins as all zeroes.  |value| in any unit. */
void sim_histogram_add(sim_histogram *histogram, uint64_t value);

/* The value that |percent| of all are not above (the upper end of its class,
   but never more than the largest); 0 if there are none. */
uint64_t sim_histogram_percentile(const sim_histogram *histogram,
                                  double percent);

#endif
