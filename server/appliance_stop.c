/* SPDX-License-Identifier: Apache-2.0 */
/* How the appliance comes to its end: it drains, closes its sessions, and then
   its connections. */
#include "server/appliance_internal.h"

#include <inttypes.h>
#include <stdio.h>

/* For the capsules that close sessions to arrive before the connections are
   closed, in nanoseconds; clients that have ended theirs too are not waited
   for. */
#define LINGER H3_LINGER

void appliance_shutdown(appliance *a, const appliance_time *now) {
  appliance_set_time(a, now);
  a->phase = APPLIANCE_STOPPED;
  a->stop_deadline = UINT64_MAX;
  h3_service_shutdown(&a->h3);
  quic_endpoint_shutdown(a->endpoint, now->mono);
}

/* Whether somebody connects, or has not yet read how its session ended.  Who
   connects is refused, and not cut off: CONNECTION_CLOSE between SETTINGS and
   the answer to CONNECT can end Chromium's (156) whole network service. */
static int is_busy(const appliance *a) {
  return h3_service_is_busy(&a->h3) ||
         quic_endpoint_handshakes(a->endpoint) > 0;
}

/* Ends the sessions; who knows of CLOSE learns that it was meant so. */
static void close_sessions(appliance *a) {
  h3_service_stop(&a->h3, 0, "the server stops");
  /* Of those that were closed a moment ago, too. */
  if (!is_busy(a)) {
    appliance_shutdown(a, &a->now);
    return;
  }
  a->phase = APPLIANCE_CLOSING;
  a->stop_deadline = a->now.mono + LINGER;
}

/* Says what is waited for, if anything is. */
static void tell_of_drain(appliance *a) {
  size_t n = h3_service_sessions(&a->h3);
  char text[128];

  if (n > 0) {
    snprintf(text, sizeof(text),
             "stopping: %zu session%s asked to end; %" PRIu64
             " s at most; again to end at once",
             n, n == 1 ? " is" : "s are", a->drain_timeout / NGTCP2_SECONDS);
    appliance_log(a, "info", text);
  }
}

void appliance_drain(appliance *a, const appliance_time *now) {
  appliance_set_time(a, now);
  if (a->phase == APPLIANCE_CLOSING || a->phase == APPLIANCE_STOPPED) {
    return;
  }
  if (a->phase == APPLIANCE_DRAINING || a->drain_timeout == 0) {
    /* Asked again: whoever asks has lost patience. */
    close_sessions(a);
    return;
  }
  tell_of_drain(a);
  a->phase = APPLIANCE_DRAINING;
  a->stop_deadline = now->mono + a->drain_timeout;
  h3_service_drain(&a->h3, now->mono);
  appliance_tend_stop(a);
}

void appliance_tend_stop(appliance *a) {
  if (a->phase == APPLIANCE_DRAINING &&
      (a->now.mono >= a->stop_deadline || h3_service_sessions(&a->h3) == 0)) {
    close_sessions(a);
  } else if (a->phase == APPLIANCE_CLOSING &&
             (a->now.mono >= a->stop_deadline || !is_busy(a))) {
    appliance_shutdown(a, &a->now);
  }
}

int appliance_is_stopping(const appliance *a) {
  return a->phase == APPLIANCE_STOPPED;
}
