/* SPDX-License-Identifier: Apache-2.0 */
/* A timeline for a person at a terminal, and for a program. */
#include "certmgr/timeline.h"

#include "certmgr/duration.h"
#include "certmgr/text.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <string.h>

/* Columns of the chart, and at most how many labels stand below it. */
#define COLUMNS 66
#define LABELS_MAX 8

#define HOUR 3600
#define DAY 86400

static const char marks[CM_PHASE_COUNT] = {':', '.', '-', '#', '='};

/* The unit in which this life is told. */
static int64_t unit_of(const cm_profile *p) {
  return p->active >= DAY ? DAY : p->active >= HOUR ? HOUR : 60;
}

static const char *unit_name(int64_t unit) {
  return unit == DAY ? "days" : unit == HOUR ? "hours" : "minutes";
}

static void put_line(cm_text *t, const char *what, const char *before,
                     int64_t seconds, const char *after) {
  char words[CM_DURATION_MAX];

  (void)cm_duration_words(words, sizeof(words), seconds);
  cm_text_put(t, "  %-16s %s%s%s\n", what, before, words, after);
}

static void put_promise(cm_text *t, const cm_timeline *timeline) {
  const cm_promise *promise = &timeline->promise;

  cm_text_put(t, "What it promises to clients\n");
  put_line(t, "cached hashes", "learnt up to ", promise->cached,
           " ago, they still connect");
  put_line(t, "slow clocks", "up to ", promise->slow, " behind");
  put_line(t, "fast clocks", "up to ", promise->fast, " ahead");
  if (promise->hot) {
    cm_text_put(
        t,
        "  %-16s to the standby, valid at any moment and known to clients\n"
        "  %-16s needs no new publication, for the same reason\n",
        "emergency swap", "revoke");
  } else {
    put_line(t, "emergency swap", "not before the standby is valid, ",
             promise->slow, " before its turn");
    cm_text_put(
        t, "  %-16s makes a new certificate: clients have to learn its hash\n",
        "revoke");
  }
}

/* Draws one certificate into |line|, which begins at |from|; |column| is how
   many seconds each column has.  A phase stands where it holds in the middle of
   the column; one that is shorter than that, where it begins. */
static void draw(char line[COLUMNS + 1], const cm_timeline_certificate *c,
                 int64_t from, int64_t column) {
  cm_span spans[CM_PHASE_COUNT];
  size_t n = cm_timeline_spans(spans, c);
  size_t len = 0;

  memset(line, ' ', COLUMNS);
  for (size_t i = 0; i < n; i++) {
    int64_t first = (spans[i].from - from + column / 2) / column;
    int64_t last = (spans[i].to - from + column / 2) / column;

    if (first == last) {
      first = (spans[i].from - from) / column;
      last = first + 1;
    }
    for (int64_t at = first; at < last && at < COLUMNS; at++) {
      line[at] = marks[spans[i].phase];
      len = (size_t)at + 1;
    }
  }
  line[len] = '\0';
}

/* A round number of |unit| that gives few labels. */
static int64_t label_step(int64_t length, int64_t unit) {
  static const int steps[] = {1, 2, 3, 4, 6, 7, 14, 28, 56};
  size_t i = 0;

  while (i < sizeof(steps) / sizeof(steps[0]) - 1 &&
         length / (steps[i] * unit) >= LABELS_MAX) {
    i++;
  }
  return steps[i] * unit;
}

static void put_chart(cm_text *t, const cm_timeline *timeline) {
  int64_t unit = unit_of(&timeline->profile);
  int64_t from = timeline->first[0].not_before;
  int64_t to = timeline->first[timeline->nfirst - 1].not_after;
  /* Seconds in a column. */
  int64_t column = (to - from + COLUMNS - 1) / COLUMNS;
  int64_t step = label_step(to - from, unit);
  char axis[COLUMNS + 16];
  char labels[COLUMNS + 16];

  cm_text_put(t, "The first certificates, in %s\n\n", unit_name(unit));
  for (size_t i = 0; i < timeline->nfirst; i++) {
    char line[COLUMNS + 1];

    draw(line, &timeline->first[i], from, column);
    cm_text_put(t, "  %3llu  %s\n", (unsigned long long)timeline->first[i].id,
                line);
  }
  memset(axis, '-', COLUMNS);
  axis[COLUMNS] = '\0';
  memset(labels, ' ', sizeof(labels) - 1);
  labels[sizeof(labels) - 1] = '\0';
  for (int64_t at = -(-from / step) * step; at < to; at += step) {
    char label[24];
    int len = snprintf(label, sizeof(label), "%lld", (long long)(at / unit));
    int64_t c = (at - from) / column;

    if (c < COLUMNS && len < 12) {
      axis[c] = '+';
      memcpy(labels + c, label, (size_t)len);
    }
  }
  for (size_t len = strlen(labels); len > 0 && labels[len - 1] == ' '; len--) {
    labels[len - 1] = '\0';
  }
  cm_text_put(t, "       %s\n       %s\n", axis, labels);
  cm_text_put(t, "       %c backdated  %c standby  %c active  %c guard%s\n",
              marks[CM_PHASE_BACKDATE], marks[CM_PHASE_STANDBY],
              marks[CM_PHASE_ACTIVE], marks[CM_PHASE_GUARD],
              timeline->promise.hot ? "" : "  : made, and not valid yet");
}

static void put_time(cm_text *t, int64_t time, int64_t unit) {
  if (time == CM_TIMELINE_NEVER) {
    cm_text_put(t, "%10s", "-");
  } else {
    cm_text_put(t, "%10.2f", (double)time / (double)unit);
  }
}

static void put_table(cm_text *t, const cm_timeline *timeline) {
  int64_t unit = unit_of(&timeline->profile);

  cm_text_put(t,
              "    certificate     made     valid     READY    ACTIVE     until"
              "   expires\n");
  for (size_t i = 0; i < timeline->nfirst; i++) {
    const cm_timeline_certificate *c = &timeline->first[i];
    const int64_t times[] = {c->made,      c->not_before, c->ready,
                             c->activated, c->retired,    c->not_after};

    cm_text_put(t, "  %7llu   ", (unsigned long long)c->id);
    for (size_t j = 0; j < sizeof(times) / sizeof(times[0]); j++) {
      put_time(t, times[j], unit);
    }
    cm_text_put(t, "\n");
  }
}

static void put_totals(cm_text *t, const cm_timeline *timeline) {
  put_line(t, "time", "", timeline->length, "");
  cm_text_put(t, "  %-16s %llu made, %llu swaps\n", "certificates",
              (unsigned long long)timeline->certificates,
              (unsigned long long)timeline->swaps);
  cm_text_put(t, "  %-16s %llu published, %llu saves of the state\n",
              "documents", (unsigned long long)timeline->documents,
              (unsigned long long)timeline->saves);
  put_line(t, "largest gap", "", timeline->gap_max,
           " without a certificate in service");
  cm_text_put(t, "  %-16s READY to take over for %.2f %% of the time\n",
              "standby",
              100.0 * (double)timeline->ready / (double)timeline->length);
  if (timeline->swaps > 0) {
    cm_text_put(t, "At a swap, at the least\n");
    put_line(t, "hash public", "for ", timeline->public_min, " already");
    put_line(t, "overlap", "", timeline->overlap_min,
             " in which both are valid");
    put_line(t, "guard", "", timeline->guard_min,
             " of the old one's validity left");
  }
}

int cm_timeline_text(char *dest, size_t destlen, const cm_timeline *timeline) {
  char profile[CM_PROFILE_TEXT_MAX];
  cm_text t = {dest, destlen, 0};

  (void)cm_profile_text(profile, sizeof(profile), &timeline->profile);
  cm_text_put(&t, "The profile %s\n  %s\n\n",
              cm_profile_name(&timeline->profile), profile);
  put_promise(&t, timeline);
  cm_text_put(&t, "\n");
  put_chart(&t, timeline);
  cm_text_put(&t, "\n");
  put_table(&t, timeline);
  cm_text_put(&t, "\nAll in all, without faults\n");
  put_totals(&t, timeline);
  return cm_text_end(&t);
}

/* --- JSON ---------------------------------------------------------------- */

/* Adds |value|, or null for what has never come.  0 for want of memory. */
static int add(cJSON *object, const char *name, int64_t value) {
  if (value == CM_TIMELINE_NEVER) {
    return cJSON_AddNullToObject(object, name) != NULL;
  }
  return cJSON_AddNumberToObject(object, name, (double)value) != NULL;
}

static int add_promise(cJSON *root, const cm_promise *promise) {
  cJSON *object = cJSON_AddObjectToObject(root, "promise");

  return object != NULL && add(object, "cached", promise->cached) &&
         add(object, "slow", promise->slow) &&
         add(object, "fast", promise->fast) &&
         cJSON_AddBoolToObject(object, "hot", promise->hot) != NULL;
}

static int add_certificate(cJSON *array, const cm_timeline_certificate *c) {
  cJSON *object = cJSON_CreateObject();

  if (object == NULL || !cJSON_AddItemToArray(array, object)) {
    cJSON_Delete(object);
    return 0;
  }
  return add(object, "id", (int64_t)c->id) && add(object, "made", c->made) &&
         add(object, "not_before", c->not_before) &&
         add(object, "not_after", c->not_after) &&
         add(object, "published", c->published) &&
         add(object, "ready", c->ready) &&
         add(object, "activated", c->activated) &&
         add(object, "retired", c->retired) &&
         add(object, "destroyed", c->destroyed);
}

static int add_totals(cJSON *root, const cm_timeline *timeline) {
  return add(root, "length", timeline->length) &&
         add(root, "certificates", (int64_t)timeline->certificates) &&
         add(root, "swaps", (int64_t)timeline->swaps) &&
         add(root, "documents", (int64_t)timeline->documents) &&
         add(root, "saves", (int64_t)timeline->saves) &&
         add(root, "gap_max", timeline->gap_max) &&
         add(root, "public_min", timeline->public_min) &&
         add(root, "overlap_min", timeline->overlap_min) &&
         add(root, "guard_min", timeline->guard_min) &&
         add(root, "standby_ready", timeline->ready);
}

static int fill(cJSON *root, const cm_timeline *timeline) {
  char profile[CM_PROFILE_TEXT_MAX];
  cJSON *first;

  (void)cm_profile_text(profile, sizeof(profile), &timeline->profile);
  if (root == NULL ||
      cJSON_AddStringToObject(root, "name",
                              cm_profile_name(&timeline->profile)) == NULL ||
      cJSON_AddStringToObject(root, "profile", profile) == NULL ||
      !add_promise(root, &timeline->promise) || !add_totals(root, timeline)) {
    return 0;
  }
  first = cJSON_AddArrayToObject(root, "first");
  if (first == NULL) {
    return 0;
  }
  for (size_t i = 0; i < timeline->nfirst; i++) {
    if (!add_certificate(first, &timeline->first[i])) {
      return 0;
    }
  }
  return 1;
}

int cm_timeline_json(char *dest, size_t destlen, const cm_timeline *timeline) {
  cm_text t = {dest, destlen, 0};
  cJSON *root = cJSON_CreateObject();
  char *printed = fill(root, timeline) ? cJSON_PrintUnformatted(root) : NULL;

  cJSON_Delete(root);
  if (printed == NULL) {
    if (destlen > 0) {
      dest[0] = '\0';
    }
    return CM_ERR_NOMEM;
  }
  cm_text_put(&t, "%s\n", printed);
  cJSON_free(printed);
  return cm_text_end(&t);
}
