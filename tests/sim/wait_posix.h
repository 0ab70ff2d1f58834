/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of the programs that load a server, and their one wait. */
#ifndef TESTS_SIM_WAIT_POSIX_H
#define TESTS_SIM_WAIT_POSIX_H

#include <stdint.h>
#include <sys/epoll.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t sim_monotonic(void);

/*
 * Waits until one of the sockets of |epoll_fd| has something, or |deadline| is
 * there, in nanoseconds of sim_monotonic(); but |gather| nanoseconds at least:
 * what comes meanwhile is taken up at once.  Returns how many of |events| are
 * filled, or -1 with errno.
 */
int sim_wait(int epoll_fd, struct epoll_event *events, int max,
             uint64_t deadline, uint64_t gather);

#endif
