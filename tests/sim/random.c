/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/random.h"

#include <string.h>

void sim_random_seed(sim_random *random, uint64_t seed) {
  random->state = seed;
}

uint64_t sim_random_next(sim_random *random) {
  uint64_t z;

  random->state += 0x9e3779b97f4a7c15u;
  z = random->state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint64_t sim_random_below(sim_random *random, uint64_t bound) {
  /* The bias is below 2^-32 for every bound used here. */
  return bound == 0 ? 0 : sim_random_next(random) % bound;
}

size_t sim_random_size(sim_random *random, size_t bound) {
  return (size_t)sim_random_below(random, bound);
}

int sim_random_chance(sim_random *random, uint32_t parts) {
  if (parts == 0) {
    return 0;
  }
  return sim_random_below(random, 1000000) < parts;
}

void sim_random_fill(sim_random *random, uint8_t *dest, size_t len) {
  uint64_t word;
  size_t n;

  while (len > 0) {
    word = sim_random_next(random);
    n = len < sizeof(word) ? len : sizeof(word);
    memcpy(dest, &word, n);
    dest += n;
    len -= n;
  }
}

int sim_random_fill_user(void *user, uint8_t *dest, size_t len) {
  sim_random_fill(user, dest, len);
  return 0;
}
