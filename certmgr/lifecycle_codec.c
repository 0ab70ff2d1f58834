/* SPDX-License-Identifier: Apache-2.0 */
/* The durable part of a lifecycle as octets: every number of 8 octets, least
   significant first, so that it can move between platforms. */
#include "certmgr/lifecycle.h"

#include "certmgr/error.h"
#include "certmgr/lifecycle_internal.h"

#include <string.h>

#define FORMAT UINT64_C(1)

#define FLAG_PUBLISHED 1
#define FLAG_PARKED 2
#define FLAG_DOUBTFUL 4
#define FLAG_CLOSED 8
#define FLAG_OUTLIVED 16
#define FLAGS_ALL 31

/* A day in the year 9999 is below this, and sums of such stay in range. */
#define TIME_MAX (INT64_C(1) << 40)

/* Counters that could run over are damage.  This one is what JSON still tells
   apart (RFC 8259 section 6). */
#define COUNTER_MAX ((UINT64_C(1) << 53) - 1)

/* Reads or writes one after the other; |failed| once there is no more. */
typedef struct codec {
  uint8_t *dest;
  const uint8_t *src;
  size_t len;
  size_t off;
  int failed;
} codec;

static uint8_t *advance(codec *c, size_t n) {
  if (c->failed || c->len - c->off < n) {
    c->failed = 1;
    return NULL;
  }
  c->off += n;
  return c->dest != NULL ? c->dest + c->off - n : NULL;
}

static void put(codec *c, uint64_t value) {
  uint8_t *p = advance(c, 8);

  for (int i = 0; p != NULL && i < 8; i++) {
    p[i] = (uint8_t)(value >> (8 * i));
  }
}

static void put_octets(codec *c, const uint8_t *data, size_t len) {
  uint8_t *p = advance(c, len);

  if (p != NULL) {
    memcpy(p, data, len);
  }
}

static uint64_t get(codec *c) {
  uint64_t value = 0;

  (void)advance(c, 8);
  for (size_t i = 0; !c->failed && i < 8; i++) {
    value |= (uint64_t)c->src[c->off - 8 + i] << (8 * i);
  }
  return value;
}

static int64_t get_time(codec *c) {
  uint64_t value = get(c);

  if (value > (uint64_t)TIME_MAX) {
    c->failed = 1;
    return 0;
  }
  return (int64_t)value;
}

static void get_octets(codec *c, uint8_t *dest, size_t len) {
  (void)advance(c, len);
  if (!c->failed) {
    memcpy(dest, c->src + c->off - len, len);
  }
}

static int64_t *profile_part(cm_profile *profile, size_t i) {
  int64_t *const parts[] = {
      &profile->backdate,   &profile->standby, &profile->active,
      &profile->guard,      &profile->slack,   &profile->jitter_min,
      &profile->jitter_max, &profile->max_age,
  };

  return i < sizeof(parts) / sizeof(parts[0]) ? parts[i] : NULL;
}

static int64_t *slot_time(cm_slot *slot, size_t i) {
  int64_t *const times[] = {
      &slot->not_before, &slot->not_after, &slot->active_at, &slot->retire_at,
      &slot->guard_at,   &slot->jitter,    &slot->keep,      &slot->turn,
  };

  return i < sizeof(times) / sizeof(times[0]) ? times[i] : NULL;
}

/* What is neither gone nor about to be. */
static int is_kept(const cm_slot *slot) {
  return slot->state != CM_CERT_EMPTY && slot->state != CM_CERT_DESTROYED;
}

static void put_slot(codec *c, const cm_slot *original) {
  cm_slot slot = *original;
  int64_t *time;

  put(c, slot.id);
  /* Once this image is durable, so is the certificate. */
  put(c, (uint64_t)(slot.state == CM_CERT_GENERATED ? CM_CERT_PERSISTED
                                                    : slot.state));
  put(c, (uint64_t)((slot.published ? FLAG_PUBLISHED : 0) |
                    (slot.parked ? FLAG_PARKED : 0) |
                    (slot.doubtful ? FLAG_DOUBTFUL : 0) |
                    (slot.closed ? FLAG_CLOSED : 0) |
                    (slot.outlived ? FLAG_OUTLIVED : 0)));
  for (size_t i = 0; (time = slot_time(&slot, i)) != NULL; i++) {
    put(c, (uint64_t)*time);
  }
  put_octets(c, slot.sha256, sizeof(slot.sha256));
  put_octets(c, slot.serial, sizeof(slot.serial));
  put_octets(c, slot.key_id, sizeof(slot.key_id));
}

static void get_slot(codec *c, cm_slot *slot, const cm_profile *profile) {
  uint64_t state, flags;
  int64_t *time;

  slot->id = get(c);
  state = get(c);
  flags = get(c);
  if (state < CM_CERT_PERSISTED || state > CM_CERT_QUARANTINED ||
      state == CM_CERT_DESTROYED || flags > FLAGS_ALL) {
    c->failed = 1;
    return;
  }
  slot->state = (cm_cert_state)state;
  slot->durable = 1;
  slot->published = (flags & FLAG_PUBLISHED) != 0;
  slot->parked = (flags & FLAG_PARKED) != 0;
  slot->doubtful = (flags & FLAG_DOUBTFUL) != 0;
  slot->closed = (flags & FLAG_CLOSED) != 0;
  slot->outlived = (flags & FLAG_OUTLIVED) != 0;
  for (size_t i = 0; (time = slot_time(slot, i)) != NULL; i++) {
    *time = get_time(c);
  }
  /* Nobody knows how much of it had run. */
  slot->settle = cm_profile_settle(profile);
  get_octets(c, slot->sha256, sizeof(slot->sha256));
  get_octets(c, slot->serial, sizeof(slot->serial));
  get_octets(c, slot->key_id, sizeof(slot->key_id));
}

int cm_lifecycle_encode(const cm_lifecycle *lc, uint8_t *dest, size_t destlen) {
  codec c = {dest, NULL, destlen, 0, 0};
  cm_profile profile = lc->profile;
  uint64_t nslots = 0;
  int64_t *part;

  put(&c, FORMAT);
  for (size_t i = 0; (part = profile_part(&profile, i)) != NULL; i++) {
    put(&c, (uint64_t)*part);
  }
  put(&c, lc->epoch);
  put(&c, lc->next_id);
  put(&c, cm_seq_reserved(lc));
  put(&c, (uint64_t)lc->high_water);
  put(&c, (uint64_t)lc->without_standby);
  put(&c, (uint64_t)(lc->served != 0));
  put(&c, (uint64_t)lc->turns);
  put(&c, lc->nserials);
  put_octets(&c, &lc->serials[0][0], sizeof(lc->serials));
  for (size_t i = 0; i < CM_SLOTS; i++) {
    nslots += (uint64_t)is_kept(&lc->slots[i]);
  }
  put(&c, nslots);
  for (size_t i = 0; i < CM_SLOTS; i++) {
    if (is_kept(&lc->slots[i])) {
      put_slot(&c, &lc->slots[i]);
    }
  }
  return c.failed ? CM_ERR_NOBUF : (int)c.off;
}

int cm_lifecycle_decode(cm_lifecycle *lc, const uint8_t *src, size_t len) {
  codec c = {NULL, src, len, 0, 0};
  uint64_t nslots, nserials, served;
  int64_t *part;

  memset(lc, 0, sizeof(*lc));
  if (get(&c) != FORMAT) {
    return CM_ERR_INVALID;
  }
  for (size_t i = 0; (part = profile_part(&lc->profile, i)) != NULL; i++) {
    *part = get_time(&c);
  }
  lc->epoch = get(&c);
  lc->next_id = get(&c);
  lc->seq = get(&c);
  lc->high_water = get_time(&c);
  lc->without_standby = get_time(&c);
  served = get(&c);
  lc->turns = get_time(&c);
  nserials = get(&c);
  get_octets(&c, &lc->serials[0][0], sizeof(lc->serials));
  nslots = get(&c);
  if (c.failed || served > 1 || nserials > UINT32_MAX || nslots > CM_SLOTS ||
      lc->epoch == 0 || lc->epoch > COUNTER_MAX || lc->next_id == 0 ||
      lc->next_id > COUNTER_MAX || lc->seq > COUNTER_MAX) {
    return CM_ERR_INVALID;
  }
  lc->served = (int)served;
  lc->nserials = (uint32_t)nserials;
  for (size_t i = 0; i < nslots; i++) {
    get_slot(&c, &lc->slots[i], &lc->profile);
  }
  /* No number is free before the next image is durable. */
  lc->seq_limit = lc->seq;
  lc->version = lc->saved = 1;
  if (c.failed || c.off != c.len || cm_check_durable(lc) != 0) {
    return CM_ERR_INVALID;
  }
  return 0;
}

void cm_lifecycle_resume(cm_lifecycle *lc, const cm_profile *profile,
                         int64_t build_date, uint64_t seed) {
  lc->profile = *profile;
  lc->build_date = build_date;
  /* xorshift stays at 0 for ever. */
  lc->prng = seed != 0 ? seed : 1;
  lc->saved_high_water = lc->high_water;
}
