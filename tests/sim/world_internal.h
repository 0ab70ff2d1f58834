/* SPDX-License-Identifier: Apache-2.0 */
/* What world.c and world_service.c share. */
#ifndef TESTS_SIM_WORLD_INTERNAL_H
#define TESTS_SIM_WORLD_INTERNAL_H

#include "tests/sim/world.h"

/* Frees the endpoint and what was set up for it. */
void sim_world_end_service(sim_world *world);

#endif
