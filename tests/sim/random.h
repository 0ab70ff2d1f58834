/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulation's randomness: a small generator (SplitMix64) whose whole
 * state is one seed, so that a run can be repeated from the number that it
 * printed.  Predictable by design: for tests and load, never for keys.
 */
#ifndef TESTS_SIM_RANDOM_H
#define TESTS_SIM_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct sim_random {
  uint64_t state;
} sim_random;

/* Makes |random| begin at |seed|; any value will do. */
void sim_random_seed(sim_random *random, uint64_t seed);

/* The next 64 bits. */
uint64_t sim_random_next(sim_random *random);

/* A number from 0 to |bound| - 1; 0 if |bound| is 0. */
uint64_t sim_random_below(sim_random *random, uint64_t bound);

/* The same for sizes. */
size_t sim_random_size(sim_random *random, size_t bound);

/* 1 with probability |parts| in a million, else 0. */
int sim_random_chance(sim_random *random, uint32_t parts);

/* Fills |len| octets at |dest|. */
void sim_random_fill(sim_random *random, uint8_t *dest, size_t len);

/* The same in the shape of cm_random's |fill|; |user| is a sim_random.
   Returns 0 always. */
int sim_random_fill_user(void *user, uint8_t *dest, size_t len);

#endif
