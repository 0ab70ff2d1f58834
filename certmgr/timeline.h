/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a profile comes to over the years: the real lifecycle (lifecycle.h) with
 * a virtual clock, in a world in which nothing fails.  Pure, and the same on
 * every platform and at every time: pictures may be compared octet by octet.
 *
 * Each of the functions that write puts a string with its NUL into the caller's
 * |dest| of |destlen| octets and returns its length without the NUL, or
 * CM_ERR_NOBUF.
 */
#ifndef CERTMGR_TIMELINE_H
#define CERTMGR_TIMELINE_H

#include "certmgr/error.h"
#include "certmgr/profile.h"

#include <stddef.h>
#include <stdint.h>

/* Certificates that are told one by one. */
#define CM_TIMELINE_FIRST 5

#define CM_TIMELINE_YEARS_MAX 100

/* Room for any of the forms, with its NUL. */
#define CM_TIMELINE_TEXT_MAX 16384

/* One certificate.  All in seconds since the beginning; what has not come yet
   stands at CM_TIMELINE_NEVER. */
typedef struct cm_timeline_certificate {
  uint64_t id;
  int64_t not_before;
  int64_t not_after;
  int64_t made;
  int64_t published;
  /* READY as the standby; never, of the first. */
  int64_t ready;
  int64_t activated;
  int64_t retired;
  int64_t destroyed;
} cm_timeline_certificate;

#define CM_TIMELINE_NEVER INT64_MAX

typedef struct cm_timeline {
  cm_profile profile;
  cm_promise promise;
  /* How long it went on, in seconds. */
  int64_t length;
  cm_timeline_certificate first[CM_TIMELINE_FIRST];
  size_t nfirst;
  /* Totals. */
  uint64_t certificates;
  uint64_t swaps;
  uint64_t documents;
  uint64_t saves;
  /* The longest time without a certificate in service, after the first. */
  int64_t gap_max;
  /* At the swaps, the least of: for how long the hash had been public; for how
     long the two certificates are valid together; what was left of the old
     one's validity.  CM_TIMELINE_NEVER if there was no swap. */
  int64_t public_min;
  int64_t overlap_min;
  int64_t guard_min;
  /* Seconds with a standby that is valid and READY. */
  int64_t ready;
} cm_timeline;

/*
 * Lives through |years|, 1 to CM_TIMELINE_YEARS_MAX of 365 days, by |profile|,
 * which must have passed its check.  Returns 0; CM_ERR_INVALID if |years| is
 * something else; CM_ERR_SELF_CHECK if the lifecycle broke an invariant.
 */
int cm_timeline_run(cm_timeline *timeline, const cm_profile *profile,
                    int years);

/* For a person: the promise, the first certificates as a chart in ASCII, the
   totals.  No line is longer than 80 characters but the profile's own. */
int cm_timeline_text(char *dest, size_t destlen, const cm_timeline *timeline);

/* One JSON object with a newline; times in seconds.  Also CM_ERR_NOMEM. */
int cm_timeline_json(char *dest, size_t destlen, const cm_timeline *timeline);

/* The first four certificates as a picture: SVG, without any script or font of
   its own. */
int cm_timeline_svg(char *dest, size_t destlen, const cm_timeline *timeline);

/* --- for the forms ------------------------------------------------------- */

typedef enum cm_phase {
  CM_PHASE_COLD, /* made, and not valid yet */
  CM_PHASE_BACKDATE,
  CM_PHASE_STANDBY,
  CM_PHASE_ACTIVE,
  CM_PHASE_GUARD
} cm_phase;

#define CM_PHASE_COUNT 5

typedef struct cm_span {
  cm_phase phase;
  int64_t from;
  int64_t to;
} cm_span;

/* Divides the life of |certificate| into spans without gaps, in the order of
   time.  Returns how many. */
size_t cm_timeline_spans(cm_span spans[CM_PHASE_COUNT],
                         const cm_timeline_certificate *certificate);

#endif
