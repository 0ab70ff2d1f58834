/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/histogram.h"

/* 64 classes for each power of two; the first 64 values have their own. */
static unsigned int class_of(uint64_t value) {
  unsigned int shift;

  if (value < 64) {
    return (unsigned int)value;
  }
  shift = 57u - (unsigned int)__builtin_clzll(value);
  return (shift + 1) * 64 + (unsigned int)((value >> shift) - 64);
}

static uint64_t upper_end(unsigned int index) {
  unsigned int shift;

  if (index < 64) {
    return index;
  }
  shift = index / 64 - 1;
  return ((uint64_t)(index % 64 + 64 + 1) << shift) - 1;
}

void sim_histogram_add(sim_histogram *histogram, uint64_t value) {
  ++histogram->count;
  if (value > histogram->max) {
    histogram->max = value;
  }
  ++histogram->classes[class_of(value)];
}

uint64_t sim_histogram_percentile(const sim_histogram *histogram,
                                  double percent) {
  uint64_t below = 0, wanted;
  unsigned int i;

  if (histogram->count == 0) {
    return 0;
  }
  wanted = (uint64_t)((double)histogram->count * percent / 100.0 + 0.999999);
  for (i = 0; i < SIM_HISTOGRAM_CLASSES; ++i) {
    below += histogram->classes[i];
    if (below >= wanted && below > 0) {
      return upper_end(i) < histogram->max ? upper_end(i) : histogram->max;
    }
  }
  return histogram->max;
}
