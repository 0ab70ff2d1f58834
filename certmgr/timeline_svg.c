/* SPDX-License-Identifier: Apache-2.0 */
/* A timeline as a picture.  It has a background of its own, and so looks the
   same on a dark page. */
#include "certmgr/timeline.h"

#include "certmgr/duration.h"
#include "certmgr/text.h"

#include <stdio.h>
#include <string.h>

/* All lengths in pixels. */
#define WIDTH 960
#define LEFT 128
#define RIGHT 28
#define TOP 92
#define ROWS 4
#define ROW 44
#define BAR 28
#define AXIS (TOP + ROWS * ROW + 8)
#define PROMISE (AXIS + 72)
#define LEGEND (PROMISE + 84)
#define HEIGHT (LEGEND + 34)
/* A bar has room for its name from this on. */
#define NAME_MIN 58
#define TICKS_MAX 18
/* About the width of a letter, and of the word over a swap. */
#define LETTER 7
#define SWAP_WIDTH 36

#define MINUTE 60
#define HOUR 3600
#define DAY 86400

static const struct {
  const char *name;
  const char *fill;
  const char *ink;
} phases[CM_PHASE_COUNT] = {
    [CM_PHASE_COLD] = {"not valid yet", "#ffffff", "#5b6770"},
    [CM_PHASE_BACKDATE] = {"backdated", "#dde3e8", "#37424a"},
    [CM_PHASE_STANDBY] = {"standby", "#a8d1ff", "#0b3d6b"},
    [CM_PHASE_ACTIVE] = {"active", "#1b7f4c", "#ffffff"},
    [CM_PHASE_GUARD] = {"guard", "#f7ba55", "#4a3000"},
};

/* What is drawn, and the times at its left and right edge. */
typedef struct picture {
  cm_text text;
  const cm_timeline *timeline;
  int64_t from;
  int64_t to;
} picture;

static int64_t x_of(const picture *p, int64_t time) {
  return LEFT + (time - p->from) * (WIDTH - LEFT - RIGHT) / (p->to - p->from);
}

static void put_text(picture *p, int64_t x, int64_t y, const char *rest,
                     const char *text) {
  cm_text_put(&p->text, "<text x=\"%lld\" y=\"%lld\"%s>%s</text>\n",
              (long long)x, (long long)y, rest, text);
}

static void put_line(picture *p, int64_t x1, int64_t y1, int64_t x2, int64_t y2,
                     const char *rest) {
  cm_text_put(&p->text,
              "<line x1=\"%lld\" y1=\"%lld\" x2=\"%lld\" y2=\"%lld\"%s/>\n",
              (long long)x1, (long long)y1, (long long)x2, (long long)y2, rest);
}

static void put_box(picture *p, cm_phase phase, int64_t x, int64_t y,
                    int64_t width, int64_t height) {
  cm_text_put(&p->text,
              "<rect x=\"%lld\" y=\"%lld\" width=\"%lld\" height=\"%lld\" "
              "fill=\"%s\"%s/>\n",
              (long long)x, (long long)y, (long long)width, (long long)height,
              phases[phase].fill,
              phase == CM_PHASE_COLD
                  ? " stroke=\"#9aa5ad\" stroke-dasharray=\"4 3\""
                  : "");
}

static void put_head(picture *p) {
  const cm_profile *profile = &p->timeline->profile;
  char t[4][CM_DURATION_MAX], line[256];
  /* The second that 14 days have to give up is no matter for a picture. */
  int64_t guard = profile->guard + (profile->guard % MINUTE == 59);

  (void)cm_duration_words(t[0], sizeof(t[0]), profile->backdate);
  (void)cm_duration_words(t[1], sizeof(t[1]), profile->standby);
  (void)cm_duration_words(t[2], sizeof(t[2]), profile->active);
  (void)cm_duration_words(t[3], sizeof(t[3]), guard);
  cm_text_put(
      &p->text,
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
      "width=\"%d\" height=\"%d\" role=\"img\" font-family=\"system-ui, "
      "sans-serif\" font-size=\"13\" fill=\"#1f2a33\">\n"
      "<title>The life of certificates by the profile %s</title>\n"
      "<rect width=\"%d\" height=\"%d\" rx=\"10\" fill=\"#fbfcfd\" "
      "stroke=\"#d5dce2\"/>\n",
      WIDTH, HEIGHT, WIDTH, HEIGHT, cm_profile_name(profile), WIDTH, HEIGHT);
  snprintf(line, sizeof(line), "Certificates by the profile %s",
           cm_profile_name(profile));
  put_text(p, 24, 34, " font-size=\"18\" font-weight=\"600\"", line);
  snprintf(line, sizeof(line), "%s backdated, %s standby, %s active, %s guard",
           t[0], t[1], t[2], t[3]);
  put_text(p, 24, 56, " fill=\"#5b6770\"", line);
}

static void put_row(picture *p, int row) {
  const cm_timeline_certificate *c = &p->timeline->first[row];
  cm_span spans[CM_PHASE_COUNT];
  size_t n = cm_timeline_spans(spans, c);
  int y = TOP + row * ROW;
  char line[40];

  snprintf(line, sizeof(line), "certificate %llu", (unsigned long long)c->id);
  put_text(p, LEFT - 16, y + 19, " text-anchor=\"end\"", line);
  for (size_t i = 0; i < n; i++) {
    int64_t x = x_of(p, spans[i].from);
    int64_t width = x_of(p, spans[i].to) - x;
    cm_phase phase = spans[i].phase;

    /* What is short is seen all the same. */
    width = width > 2 ? width : 2;
    put_box(p, phase, x, y, width, BAR);
    if (width >= NAME_MIN + (phase == CM_PHASE_COLD ? 24 : 10)) {
      snprintf(line, sizeof(line), " text-anchor=\"middle\" fill=\"%s\"",
               phases[phase].ink);
      put_text(p, x + width / 2, y + 19, line, phases[phase].name);
    }
  }
}

/* A line through all rows at each swap, from the old active to the new. */
static void put_swaps(picture *p) {
  int64_t named = 0;

  for (int row = 1; row < ROWS; row++) {
    int64_t x = x_of(p, p->timeline->first[row].activated);

    put_line(p, x, TOP - 10, x, AXIS,
             " stroke=\"#1f2a33\" stroke-dasharray=\"2 4\"");
    if (x >= named + SWAP_WIDTH) {
      put_text(p, x, TOP - 15, " text-anchor=\"middle\" font-size=\"12\"",
               "swap");
      named = x;
    }
  }
}

static void put_axis(picture *p) {
  static const struct {
    int64_t step;
    int64_t unit;
  } steps[] = {
      {MINUTE, MINUTE},      {5 * MINUTE, MINUTE}, {10 * MINUTE, MINUTE},
      {30 * MINUTE, MINUTE}, {HOUR, HOUR},         {2 * HOUR, HOUR},
      {6 * HOUR, HOUR},      {12 * HOUR, HOUR},    {DAY, DAY},
      {2 * DAY, DAY},        {3 * DAY, DAY},       {7 * DAY, DAY}};
  size_t i = 0;
  int64_t step, unit;
  char label[40];

  while (i < sizeof(steps) / sizeof(steps[0]) - 1 &&
         (p->to - p->from) / steps[i].step > TICKS_MAX) {
    i++;
  }
  step = steps[i].step;
  unit = steps[i].unit;
  put_line(p, LEFT, AXIS, WIDTH - RIGHT, AXIS, " stroke=\"#5b6770\"");
  for (int64_t at = -(-p->from / step) * step; at <= p->to; at += step) {
    put_line(p, x_of(p, at), AXIS, x_of(p, at), AXIS + 5,
             " stroke=\"#5b6770\"");
    snprintf(label, sizeof(label), "%lld", (long long)(at / unit));
    put_text(p, x_of(p, at), AXIS + 20,
             " text-anchor=\"middle\" font-size=\"12\" fill=\"#5b6770\"",
             label);
  }
  put_text(p, LEFT - 16, AXIS + 20, " text-anchor=\"end\" fill=\"#5b6770\"",
           unit == DAY    ? "days"
           : unit == HOUR ? "hours"
                          : "minutes");
}

/* An arrow from |at| to |from| and |to|, with |text| where there is room. */
static void put_arrow(picture *p, int y, int64_t from, int64_t to, int64_t at,
                      const char *text) {
  int64_t x1 = x_of(p, from), x2 = x_of(p, to);
  int64_t width = (int64_t)strlen(text) * LETTER;

  put_line(p, x1, y, x2, y, " stroke=\"#8a1c5c\" stroke-width=\"2\"");
  if (at != from) {
    cm_text_put(&p->text, "<path d=\"M%lld %d l7 -4 v8z\" fill=\"#8a1c5c\"/>\n",
                (long long)x1, y);
  }
  cm_text_put(&p->text, "<path d=\"M%lld %d l-7 -4 v8z\" fill=\"#8a1c5c\"/>\n",
              (long long)x2, y);
  cm_text_put(&p->text,
              "<circle cx=\"%lld\" cy=\"%d\" r=\"4\" fill=\"#8a1c5c\"/>\n",
              (long long)x_of(p, at), y);
  if (x2 + 12 + width <= WIDTH - RIGHT / 2) {
    put_text(p, x2 + 12, y + 5, "", text);
  } else if (x1 - 12 - width >= LEFT) {
    put_text(p, x1 - 12, y + 5, " text-anchor=\"end\"", text);
  } else {
    put_text(p, (x1 + x2) / 2, y - 9, " text-anchor=\"middle\"", text);
  }
}

static void put_promise(picture *p) {
  const cm_promise *promise = &p->timeline->promise;
  int64_t swap = p->timeline->first[1].activated;
  char a[CM_DURATION_MAX], b[CM_DURATION_MAX], line[160];

  put_text(p, LEFT - 16, PROMISE + 5,
           " text-anchor=\"end\" font-weight=\"600\"", "the promise");
  (void)cm_duration_words(a, sizeof(a), promise->cached);
  snprintf(line, sizeof(line), "hashes learnt here are good for %s", a);
  put_arrow(p, PROMISE, swap, swap + promise->cached, swap, line);
  (void)cm_duration_words(a, sizeof(a), promise->slow);
  (void)cm_duration_words(b, sizeof(b), promise->fast);
  snprintf(line, sizeof(line), "a client's clock here: %s slow to %s fast", a,
           b);
  put_arrow(p, PROMISE + 32, swap - promise->slow, swap + promise->fast, swap,
            line);
}

static void put_legend(picture *p) {
  int64_t x = LEFT;

  for (int i = 0; i < CM_PHASE_COUNT; i++) {
    if (i == CM_PHASE_COLD && p->timeline->promise.hot) {
      continue;
    }
    put_box(p, (cm_phase)i, x, LEGEND - 12, 22, 14);
    put_text(p, x + 30, LEGEND, "", phases[i].name);
    x += 140;
  }
}

int cm_timeline_svg(char *dest, size_t destlen, const cm_timeline *timeline) {
  picture p = {{dest, destlen, 0}, timeline, 0, 0};

  p.from = timeline->first[0].not_before;
  p.to = timeline->first[ROWS - 1].not_after;
  put_head(&p);
  for (int row = 0; row < ROWS; row++) {
    put_row(&p, row);
  }
  put_swaps(&p);
  put_axis(&p);
  put_promise(&p);
  put_legend(&p);
  cm_text_put(&p.text, "</svg>\n");
  return cm_text_end(&p.text);
}
