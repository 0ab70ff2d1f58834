/* SPDX-License-Identifier: Apache-2.0 */
#include "server/quic/path_guard.h"

static int is_of(const path_count *count, const ngtcp2_path *path) {
  return count->known && ngtcp2_path_eq(&count->path.path, path);
}

static void begin_count(path_count *count, const ngtcp2_path *path) {
  ngtcp2_path_storage_zero(&count->path);
  ngtcp2_path_copy(&count->path.path, path);
  count->received = count->sent = 0;
  count->known = 1;
}

void path_guard_begin(path_guard *guard, const ngtcp2_path *path,
                      const ngtcp2_path *current) {
  if (is_of(&guard->current, path) || !ngtcp2_path_eq(path, current)) {
    guard->current.known = 0;
    return;
  }
  begin_count(&guard->current, path);
  if (is_of(&guard->probed, path)) {
    guard->current.received = guard->probed.received;
    guard->current.sent = guard->probed.sent;
    guard->probed.known = 0;
  }
}

void path_guard_end(path_guard *guard, const ngtcp2_path *path) {
  if (is_of(&guard->current, path)) {
    guard->current.known = 0;
  }
}

void path_guard_received(path_guard *guard, const ngtcp2_path *path,
                         const ngtcp2_path *current, size_t len) {
  if (is_of(&guard->current, path)) {
    guard->current.received += len;
    return;
  }
  /* A datagram with PATH_CHALLENGE is that long (section 8.2.1), and ngtcp2
     counts no other. */
  if (len < NGTCP2_MAX_UDP_PAYLOAD_SIZE || ngtcp2_path_eq(path, current)) {
    return;
  }
  if (!is_of(&guard->probed, path)) {
    begin_count(&guard->probed, path);
  }
  guard->probed.received += len;
}

void path_guard_sent(path_guard *guard, const ngtcp2_path *path, size_t len) {
  if (is_of(&guard->current, path)) {
    guard->current.sent += len;
  } else if (is_of(&guard->probed, path)) {
    guard->probed.sent += len;
  }
}

int path_guard_blocks(const path_guard *guard, const ngtcp2_path *current) {
  return is_of(&guard->current, current) &&
         guard->current.sent >= 3 * guard->current.received;
}
