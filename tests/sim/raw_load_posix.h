/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain UDP under load: the datagrams of SIM_LOAD_DATAGRAMS and their
 * accounting, without QUIC.  Against an echo on the same kind of socket it
 * tells the ceiling of what QUIC may reach there.
 */
#ifndef TESTS_SIM_RAW_LOAD_POSIX_H
#define TESTS_SIM_RAW_LOAD_POSIX_H

#include "tests/sim/socket_posix.h"
#include "tests/sim/workload.h"

/*
 * Runs |connections| sockets against |remote| for |duration| nanoseconds and
 * fills the datagram counts of |load|; it looks at what comes as sim_wait()
 * does.  Returns at most a second after that:
 * 0, or -1 with errno if there is no memory or no socket.
 */
int sim_raw_load_run(sim_load *load, const sim_address *remote,
                     socklen_t remote_len, size_t connections,
                     uint64_t duration, uint64_t gather);

#endif
