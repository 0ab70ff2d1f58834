/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/lifecycle_world.h"

const host_ops lifecycle_real = {0};
