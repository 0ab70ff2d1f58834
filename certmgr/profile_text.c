/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles as a person writes them. */
#include "certmgr/profile.h"

#include "certmgr/duration.h"

#include <stdio.h>
#include <string.h>

#define HOUR 3600
#define DAY 86400

/* More than any part may have, and far from overflow. */
#define TIME_MAX INT64_C(1000000000)

/* What browsers refuse and people write: see cm_profile_parse(). */
#define FOURTEEN_DAYS INT64_C(1209600)

#define SLACK_MAX (HOUR - 1)

typedef enum part {
  PART_BACKDATE,
  PART_STANDBY,
  PART_ACTIVE,
  PART_GUARD,
  PART_SLACK,
  PART_JITTER,
  PART_MAX_AGE,
  PART_COUNT
} part;

static const char *const names[PART_COUNT] = {
    "backdate", "standby", "active", "guard", "slack", "jitter", "max-age"};

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t unit_of(char c) {
  switch (c) {
  case 's':
    return 1;
  case 'm':
    return 60;
  case 'h':
    return HOUR;
  case 'd':
    return DAY;
  default:
    return 0;
  }
}

/* Reads "1d12h", or a lone "300", from |*p| on and leaves |*p| behind it.
   Returns the seconds, TIME_MAX if there are more, -1 if it is no time. */
static int64_t parse_time(const char **p) {
  const char *s = *p;
  int64_t sum = 0;

  do {
    const char *first = s;
    int64_t n = 0;
    int64_t unit;

    for (; *s >= '0' && *s <= '9'; s++) {
      n = min64(10 * n + (*s - '0'), TIME_MAX);
    }
    if (s == first) {
      return -1;
    }
    unit = unit_of(*s);
    if (unit != 0) {
      s++;
    } else if (first == *p) {
      unit = 1;
    } else {
      return -1;
    }
    sum = min64(sum + n * unit, TIME_MAX);
  } while (*s >= '0' && *s <= '9');
  *p = s;
  return sum;
}

/* The part that |s| of |len| octets names, or PART_COUNT. */
static part find_part(const char *s, size_t len) {
  int i;

  for (i = 0; i < PART_COUNT; i++) {
    if (strlen(names[i]) == len && memcmp(names[i], s, len) == 0) {
      break;
    }
  }
  return (part)i;
}

static void set_part(cm_profile *p, part which, int64_t value) {
  switch (which) {
  case PART_BACKDATE:
    p->backdate = value;
    break;
  case PART_STANDBY:
    p->standby = value;
    break;
  case PART_ACTIVE:
    p->active = value;
    break;
  case PART_GUARD:
    p->guard = value;
    break;
  case PART_SLACK:
    p->slack = value;
    break;
  case PART_JITTER:
    p->jitter_max = value;
    p->jitter_min = value / 2;
    break;
  default:
    p->max_age = value;
    break;
  }
}

/* Reads "NAME=TIME" of |len| octets.  NULL, or why it is none. */
static const char *parse_part(cm_profile *p, int given[PART_COUNT],
                              const char *s, size_t len) {
  static const char bad_time[] =
      "a time is a number and s, m, h or d, as in 90s, 36h or 1d12h";
  const char *stop = s + len;
  const char *equals = memchr(s, '=', len);
  part which = find_part(s, equals != NULL ? (size_t)(equals - s) : len);
  int64_t value;

  if (equals == NULL || which == PART_COUNT) {
    return "the parts are backdate, standby, active, guard, slack, jitter and "
           "max-age, each followed by = and a time";
  }
  if (given[which]) {
    return "a part is given twice";
  }
  given[which] = 1;
  s = equals + 1;
  value = parse_time(&s);
  if (value < 0) {
    return bad_time;
  }
  set_part(p, which, value);
  if (which == PART_JITTER && s < stop && *s == '-') {
    s++;
    p->jitter_min = value;
    p->jitter_max = parse_time(&s);
    if (p->jitter_max < 0) {
      return bad_time;
    }
  }
  return s == stop ? NULL : bad_time;
}

/* Fills in what was not given, from what was. */
static void complete(cm_profile *p, const int given[PART_COUNT], int named) {
  if (given[PART_ACTIVE] && !given[PART_STANDBY] && !named) {
    p->standby = p->active;
  }
  if (cm_profile_validity(p) == FOURTEEN_DAYS && p->guard > 0) {
    p->guard--;
  }
  if (given[PART_GUARD] && !given[PART_SLACK]) {
    p->slack = max64(0, min64(SLACK_MAX, min64(p->guard / 4, p->guard - 300)));
  }
  if ((given[PART_GUARD] || given[PART_SLACK] || given[PART_ACTIVE]) &&
      !given[PART_JITTER]) {
    p->jitter_max = min64((p->slack + 1) / 2, p->slack - 1);
    p->jitter_max = max64(0, min64(p->jitter_max, p->active / 8));
    p->jitter_min = p->jitter_max / 2;
  }
}

int cm_profile_parse(cm_profile *profile, const char *text,
                     const char **reason) {
  cm_profile p = cm_profile_hot_standby;
  int given[PART_COUNT] = {0};
  char name[16] = "";
  const cm_profile *base;
  size_t len = strcspn(text, ",");

  *reason = NULL;
  if (len < sizeof(name)) {
    memcpy(name, text, len);
  }
  base = cm_profile_by_name(name);
  if (base != NULL) {
    p = *base;
  } else {
    const char *equals = memchr(text, '=', len);
    if (equals == NULL ||
        find_part(text, (size_t)(equals - text)) == PART_COUNT) {
      *reason = "a profile has the name hot-standby, long or short, or is like "
                "backdate=1d,standby=6d,active=6d,guard=1d";
      return CM_ERR_INVALID;
    }
    len = 0;
  }
  while (base == NULL || text[len] != '\0') {
    const char *s = text + len + (text[len] == ',' ? 1 : 0);
    size_t n = strcspn(s, ",");

    *reason = parse_part(&p, given, s, n);
    if (*reason != NULL) {
      return CM_ERR_INVALID;
    }
    len = (size_t)(s - text) + n;
    if (text[len] == '\0') {
      break;
    }
  }
  complete(&p, given, base != NULL);
  *reason = cm_profile_check(&p);
  if (*reason != NULL) {
    return CM_ERR_INVALID;
  }
  *profile = p;
  return 0;
}

int cm_profile_text(char *dest, size_t destlen, const cm_profile *p) {
  const int64_t times[] = {p->backdate,   p->standby, p->active,
                           p->guard,      p->slack,   p->jitter_min,
                           p->jitter_max, p->max_age};
  char t[sizeof(times) / sizeof(times[0])][CM_DURATION_MAX];
  int len;

  for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
    (void)cm_duration_text(t[i], sizeof(t[i]), times[i]);
  }
  len = snprintf(dest, destlen,
                 "backdate=%s,standby=%s,active=%s,guard=%s,slack=%s,"
                 "jitter=%s-%s,max-age=%s",
                 t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]);
  return (size_t)len < destlen ? len : CM_ERR_NOBUF;
}

const char *cm_profile_name(const cm_profile *p) {
  static const char *const known[] = {"hot-standby", "long", "short"};

  for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
    const cm_profile *k = cm_profile_by_name(known[i]);

    if (k->backdate == p->backdate && k->standby == p->standby &&
        k->active == p->active && k->guard == p->guard &&
        k->slack == p->slack && k->jitter_min == p->jitter_min &&
        k->jitter_max == p->jitter_max && k->max_age == p->max_age) {
      return known[i];
    }
  }
  return "custom";
}
