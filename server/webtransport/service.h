/* SPDX-License-Identifier: Apache-2.0 */
/* What a server offers over WebTransport, and whom it tells about it. */
#ifndef SERVER_WEBTRANSPORT_SERVICE_H
#define SERVER_WEBTRANSPORT_SERVICE_H

#include <stddef.h>
#include <stdint.h>

struct app;
struct wt_session;

typedef enum wt_closed_by {
  WT_CLOSED_BY_CLIENT,
  WT_CLOSED_BY_SERVER,
  /* The connection under it ended. */
  WT_CLOSED_BY_CONNECTION
} wt_closed_by;

typedef struct wt_service {
  /* By path; must outlive the service. */
  const struct app *const *apps;
  size_t napps;
  /* Sessions that one connection may have at once. */
  size_t sessions_max;
  /* The values of Origin (RFC 6454 section 7) whose pages may have a session,
     in an array that ends with NULL: "https://example.org", compared octet by
     octet.  Others are answered 403, and so is a request without Origin.
     NULL: everybody may.  Must outlive the service; may change. */
  const char *const *origins;
  /* Either may be NULL.  |reason| is UTF-8 of |len| octets. */
  void (*on_session_opened)(void *user, struct wt_session *session);
  void (*on_session_closed)(void *user, struct wt_session *session,
                            wt_closed_by by, uint32_t code,
                            const uint8_t *reason, size_t len);
  void *user;
} wt_service;

#endif
