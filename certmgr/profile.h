/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the life of a certificate is divided, and what that promises to clients.
 *
 *   made                 becomes active          gives way
 *   |<----- standby ----->|<----- active ----->|<--- guard --->|
 *   |                     |                    |<slack>|       |
 *   ^ not_before + backdate                            ^ guard begins
 *
 * A certificate is made when the one before becomes active, for that is when
 * the moment of its own activation becomes known.  Its validity is anchored
 * there:
 *
 *   not_before = activation - standby - backdate
 *   not_after  = activation + active + guard
 *
 * so that a host that was asleep, or a disk that was full, takes nothing from
 * what clients may rely on.  The swap itself comes up to |jitter_max| later
 * than planned, never earlier: a client that has learnt a hash |active|
 * seconds ago still finds it in service.  |slack| is the part of the guard
 * that is given up to this and to a swap that has to be tried again.
 */
#ifndef CERTMGR_PROFILE_H
#define CERTMGR_PROFILE_H

#include "certmgr/error.h"

#include <stddef.h>
#include <stdint.h>

/* All in seconds. */
typedef struct cm_profile {
  int64_t backdate;
  /* 0: the standby becomes valid only |backdate| before its activation. */
  int64_t standby;
  int64_t active;
  int64_t guard;
  int64_t slack;
  /* A swap comes between these later than |active| says; drawn once for each
     certificate. */
  int64_t jitter_min;
  int64_t jitter_max;
  /* For how long a published document may be kept by a cache. */
  int64_t max_age;
} cm_profile;

/* What a profile gives to clients, in seconds. */
typedef struct cm_promise {
  /* Hashes that were learnt this long ago still connect. */
  int64_t cached;
  /* A client's clock may be this much behind, and this much ahead. */
  int64_t slow;
  int64_t fast;
  /* 1 if the standby is valid from the moment it is made: a revoke then needs
     no new publication. */
  int hot;
} cm_promise;

/* 1 day of backdating, 6 days standby, 6 days active, 1 day of guard. */
extern const cm_profile cm_profile_hot_standby;
/* After go-libp2p: hashes stay good for 13.9 days, but the standby is cold and
   clocks have to be right to the hour. */
extern const cm_profile cm_profile_long;
/* Certificates of 7 days. */
extern const cm_profile cm_profile_short;

/* "hot-standby", "long" or "short"; NULL for another name. */
const cm_profile *cm_profile_by_name(const char *name);

/*
 * Whether certificates can live by |profile|.  Returns NULL if so, else the
 * reason why not: English, static, without a full stop.
 */
const char *cm_profile_check(const cm_profile *profile);

/* What |profile|, which must have passed its check, promises. */
void cm_profile_promise(cm_promise *promise, const cm_profile *profile);

/*
 * Reads |text| (profile_text.c): a name as above, or parts that differ from
 * hot-standby,
 *
 *   backdate=1d,standby=6d,active=6d,guard=1d,slack=1h,jitter=15m-30m,max-age=5m
 *
 * or a name, a comma, and parts that differ from that.  A time is one or more
 * of N followed by s, m, h or d: "23h59m".  Parts may be left out: |standby| is
 * then as long as |active| (unless a name was given), the slack a quarter of
 * the guard and no more than an hour, the jitter a quarter to half of the slack
 * and no more than an eighth of |active| ("jitter=30m": from half of that).
 * What adds up to 14 days gives up the last second of its guard, for browsers
 * take no more.
 *
 * Returns 0 if |*profile| passes its check; else CM_ERR_INVALID, and |*reason|
 * is why: English, static, without a full stop.
 */
int cm_profile_parse(cm_profile *profile, const char *text,
                     const char **reason);

/* Room for any cm_profile_text(), with its NUL. */
#define CM_PROFILE_TEXT_MAX 256

/* Writes |profile| in full, as cm_profile_parse() reads it.  The length, or
   CM_ERR_NOBUF. */
int cm_profile_text(char *dest, size_t destlen, const cm_profile *profile);

/* The name that cm_profile_by_name() knows |profile| by, or "custom". */
const char *cm_profile_name(const cm_profile *profile);

/* The time from not_before to not_after of each certificate. */
int64_t cm_profile_validity(const cm_profile *profile);

/* For how long a hash set has to be published before its standby is READY:
   twice the documents' max-age, for a cache behind a cache. */
int64_t cm_profile_settle(const cm_profile *profile);

#endif
