/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines of a connection, and how it comes to its end without haste. */
#include "server/http3/h3_internal.h"

#include "server/webtransport/wt_conn.h"

void h3_conn_drain(h3_conn *h3, uint64_t now) {
  if (h3->draining) {
    return;
  }
  h3->draining = 1;
  h3->refuses |= now >= h3->service->grace_end;
  h3->goaway_deadline = now + H3_GOAWAY_DELAY;
  /* While there are sessions there is no GOAWAY: Chromium (156) loses its
     whole network service to one that comes while a WebTransport stream of its
     own is open.  DRAIN says all that its session has to know. */
  if ((wt_conn_sessions(h3->wt) == 0 &&
       nghttp3_conn_submit_shutdown_notice(h3->nghttp3) != 0) ||
      wt_conn_drain(h3->wt) != 0) {
    /* The connection is closed when it is written next. */
    quic_conn_fail(h3->conn, NGHTTP3_H3_INTERNAL_ERROR, "no memory");
  }
  quic_conn_wake(h3->conn);
}

/* Has a connection closed that has no request and takes none, H3_LINGER from
   now. */
static void close_if_drained(h3_conn *h3) {
  if (h3->refuses && !h3->requests) {
    h3->goaway_deadline = quic_conn_now(h3->conn) + H3_LINGER;
    quic_conn_wake(h3->conn);
  }
}

int h3_conn_end_request(h3_conn *h3) {
  if (h3->service->stopping && !h3->requests) {
    /* Now, and not when all the others are over too: this takes the place of
       the acknowledgement of the end of the client's side.  If Chromium (156)
       reads that before it has told the page that the session is closed, and
       the page then asks for the next stream, its network service is gone. */
    return quic_conn_finish(h3->conn);
  }
  close_if_drained(h3);
  return 0;
}

/* From here on requests are refused. */
static int end_grace(h3_conn *h3) {
  int rv;

  h3->refuses = 1;
  if (wt_conn_sessions(h3->wt) == 0) {
    /* And nghttp3 knows nothing of the sessions' streams: a client would take
       those with higher IDs for refused. */
    rv = nghttp3_conn_shutdown(h3->nghttp3);
    if (rv != 0) {
      return h3_fail(h3, rv);
    }
  }
  close_if_drained(h3);
  return 0;
}

uint64_t h3_deadline(const void *state) {
  const h3_conn *h3 = state;

  return h3->request_deadline < h3->goaway_deadline ? h3->request_deadline
                                                    : h3->goaway_deadline;
}

int h3_expire(void *state, uint64_t now) {
  h3_conn *h3 = state;

  if (now >= h3->request_deadline) {
    return quic_conn_fail(h3->conn, NGHTTP3_H3_NO_ERROR, "no request");
  }
  if (now < h3->goaway_deadline) {
    return 0;
  }
  h3->goaway_deadline = UINT64_MAX;
  if (!h3->refuses) {
    return end_grace(h3);
  }
  return h3->requests
             ? 0
             : quic_conn_fail(h3->conn, NGHTTP3_H3_NO_ERROR, "drained");
}

void h3_service_drain(h3_service *service, uint64_t now) {
  h3_conn *h3;

  if (!service->draining) {
    service->draining = 1;
    service->grace_end = now + H3_GOAWAY_DELAY;
  }
  for (h3 = service->conns; h3; h3 = h3->next) {
    h3_conn_drain(h3, now);
  }
}

size_t h3_service_close_sessions(h3_service *service, uint32_t code,
                                 const char *reason) {
  h3_conn *h3;
  size_t n = 0;

  for (h3 = service->conns; h3; h3 = h3->next) {
    n += wt_conn_close_sessions(h3->wt, code, reason);
  }
  return n;
}

void h3_service_stop(h3_service *service, uint32_t code, const char *reason) {
  h3_conn *h3;

  service->stopping = 1;
  for (h3 = service->conns; h3; h3 = h3->next) {
    h3->refuses = 1;
  }
  h3_service_close_sessions(service, code, reason);
}

void h3_service_shutdown(h3_service *service) {
  h3_conn *h3;

  for (h3 = service->conns; h3; h3 = h3->next) {
    if (!h3->asked) {
      /* Not NO_ERROR: it ends the whole network service of a Chromium (156)
         that has no answer to its CONNECT yet.  Deno, though, takes nothing
         else for the end of its session. */
      quic_conn_fail(h3->conn, NGHTTP3_H3_NO_ERROR, "");
    }
  }
}

int h3_service_is_busy(const h3_service *service) {
  const h3_conn *h3 = service->conns;

  while (h3 && h3->asked && !h3->requests) {
    h3 = h3->next;
  }
  return h3 != NULL;
}

size_t h3_service_sessions(const h3_service *service) {
  const h3_conn *h3;
  size_t n = 0;

  for (h3 = service->conns; h3; h3 = h3->next) {
    n += wt_conn_sessions(h3->wt);
  }
  return n;
}
