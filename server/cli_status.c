/* SPDX-License-Identifier: Apache-2.0 */
/* What the running server tells, for a person. */
#include "server/cli.h"

#include "certmgr/duration.h"
#include "certmgr/lifecycle.h"

#include <string.h>
#include <time.h>

/* The names on the left. */
#define LABEL "%-13s"

/* Of each list of what peers did, at most so many. */
#define LINES_MAX 8

/* Reads the character at |s| (RFC 3629).  Its octets, or 0 if it is none. */
static size_t decode(const unsigned char *s, unsigned long *c) {
  static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t len, i;

  *c = s[0];
  if (s[0] < 0x80) {
    return 1;
  }
  if (s[0] < 0xc2 || s[0] > 0xf4) {
    return 0;
  }
  len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
  *c &= 0xffU >> (len + 1);
  for (i = 1; i < len; ++i) {
    if ((s[i] & 0xc0) != 0x80) {
      return 0;
    }
    *c = *c << 6 | (s[i] & 0x3f);
  }
  return *c >= least[len] && *c <= 0x10ffff && (*c < 0xd800 || *c > 0xdfff)
             ? len
             : 0;
}

/* Whether a terminal shows |c|, and does nothing else: no controls, and nothing
   that turns the direction of writing. */
static int is_safe(unsigned long c) {
  return !(c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e ||
           c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0xfeff);
}

/* Behind what is no character: one mark stands for all of it. */
static const char *skip(const char *s) {
  do {
    ++s;
  } while (((unsigned char)*s & 0xc0) == 0x80);
  return s;
}

void cli_add_safely(text *t, const char *s) {
  while (*s) {
    unsigned long c;
    size_t len = decode((const unsigned char *)s, &c);

    if (len > 0 && is_safe(c)) {
      text_add(t, "%.*s", (int)len, s);
    } else {
      text_add(t, "?");
    }
    s = len > 0 ? s + len : skip(s);
  }
}

void cli_add_json_safely(text *t, const char *json) {
  while (*json) {
    unsigned long c;
    size_t len = decode((const unsigned char *)json, &c);

    if (len > 0 && is_safe(c)) {
      text_add(t, "%.*s", (int)len, json);
    } else {
      /* What is not safe is below 0x10000. */
      text_add(t, "\\u%04lx", len > 0 ? c : 0xfffdUL);
    }
    json = len > 0 ? json + len : skip(json);
  }
}

void cli_forget(cJSON *object, const char *secret) {
  char *value =
      cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, secret));

  if (value) {
    explicit_bzero(value, strlen(value));
  }
  cJSON_Delete(object);
}

void cli_time_text(char dest[CLI_TIME_LEN], int64_t time) {
  time_t seconds = (time_t)time;
  struct tm tm;

  if (!gmtime_r(&seconds, &tm) ||
      strftime(dest, CLI_TIME_LEN, "%Y-%m-%d %H:%M UTC", &tm) == 0) {
    snprintf(dest, CLI_TIME_LEN, "-");
  }
}

/* ---- Members of the reply ---- */

static const cJSON *get(const cJSON *object, const char *name) {
  return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* "" if there is none. */
static const char *string_of(const cJSON *object, const char *name) {
  const cJSON *item = get(object, name);

  return cJSON_IsString(item) ? item->valuestring : "";
}

static int has_number(const cJSON *object, const char *name) {
  const cJSON *item = get(object, name);

  /* What is a time, or a count, in all programs. */
  return cJSON_IsNumber(item) && item->valuedouble >= -1e15 &&
         item->valuedouble <= 1e15;
}

static int64_t number_of(const cJSON *object, const char *name) {
  return has_number(object, name) ? (int64_t)get(object, name)->valuedouble : 0;
}

/* ---- Parts ---- */

static void add_words(text *t, int64_t seconds) {
  char words[CM_DURATION_MAX];

  (void)cm_duration_words(words, sizeof(words), seconds < 0 ? 0 : seconds);
  text_add(t, "%s", words);
}

/* Blanks up to |width| octets since |before|. */
static void pad(text *t, size_t before, size_t width) {
  size_t len = t->len - before;

  text_add(t, "%*s", len < width ? (int)(width - len) : 1, "");
}

static void add_line(text *t, const char *label, const char *value) {
  text_add(t, LABEL, label);
  cli_add_safely(t, value);
  text_add(t, "\n");
}

static void add_state(text *t, const cJSON *status) {
  const cJSON *certificates = get(status, "certificates");
  const char *state = string_of(status, "state");
  const char *words = cm_manager_state_words(state);
  const char *problem = string_of(certificates, "problem");

  text_add(t, LABEL, "State");
  cli_add_safely(t, state[0] ? state : "unknown");
  text_add(t, "%s%s\n", words[0] ? ": " : "", words);
  if (problem[0]) {
    add_line(t, "Problem", problem);
  }
}

static void add_next(text *t, const cJSON *until) {
  static const struct {
    const char *name;
    const char *words;
  } milestones[] = {
      {"retry", "what failed is tried again in "},
      {"standby_ready", "the standby is ready in "},
      {"rotation", "the standby takes over in "},
  };
  const char *label = "Next";
  size_t i;

  for (i = 0; i < sizeof(milestones) / sizeof(milestones[0]); ++i) {
    int64_t left = number_of(until, milestones[i].name);

    if (has_number(until, milestones[i].name) && left > 0) {
      text_add(t, LABEL "%s", label, milestones[i].words);
      add_words(t, left);
      text_add(t, "\n");
      label = "";
    }
  }
}

/* "active", and when the next thing happens to it. */
static void add_slot_state(text *t, const cJSON *slot, int64_t wall) {
  static const struct {
    const char *state;
    const char *word;
  } states[] = {{"GENERATED", "made"},        {"PERSISTED", "stored"},
                {"PUBLISHED", "standby"},     {"READY", "standby"},
                {"ACTIVE", "active"},         {"RETIRED", "retired"},
                {"REVOKED", "revoked"},       {"QUARANTINED", "unfit"},
                {"DESTROYED", "being erased"}};
  const char *state = string_of(slot, "state");
  const char *word = state;
  size_t before, i;

  for (i = 0; i < sizeof(states) / sizeof(states[0]); ++i) {
    if (strcmp(states[i].state, state) == 0) {
      word = states[i].word;
    }
  }
  if (cJSON_IsTrue(get(slot, "parked"))) {
    word = "set aside";
  }
  before = t->len;
  cli_add_safely(t, word);
  if (strcmp(state, "ACTIVE") == 0) {
    pad(t, before, 14);
    text_add(t, "gives way in ");
    add_words(t, number_of(slot, "active_until") - wall);
  } else if (strcmp(state, "READY") == 0 || strcmp(state, "PUBLISHED") == 0) {
    pad(t, before, 14);
    text_add(t, "takes over in ");
    add_words(t, number_of(slot, "active_from") - wall);
  }
  text_add(t, "\n");
}

static void add_slots(text *t, const cJSON *slots, int64_t wall) {
  const cJSON *slot;

  text_add(t, "\nCertificate  Valid from (UTC)      until\n");
  cJSON_ArrayForEach(slot, slots) {
    char from[CLI_TIME_LEN], until[CLI_TIME_LEN], hex[9];
    size_t before = t->len;

    cli_time_text(from, number_of(slot, "not_before"));
    cli_time_text(until, number_of(slot, "not_after"));
    snprintf(hex, sizeof(hex), "%s", string_of(slot, "hex"));
    cli_add_safely(t, hex);
    pad(t, before, 13);
    text_add(t, "%.16s      %.16s  ", from, until);
    add_slot_state(t, slot, wall);
  }
  if (cJSON_GetArraySize(slots) == 0) {
    text_add(t, "none\n");
  }
}

static void add_traffic(text *t, const cJSON *status) {
  const cJSON *counters = get(status, "counters");

  text_add(t, "\n" LABEL "%d open, %lld since the start\n", "Sessions",
           cJSON_GetArraySize(get(status, "sessions")),
           (long long)number_of(counters, "sessions_total"));
  text_add(t, LABEL "%lld completed, %lld failed\n", "Handshakes",
           (long long)number_of(counters, "handshakes_completed"),
           (long long)number_of(counters, "handshakes_failed"));
  text_add(t, LABEL, "Running for");
  add_words(t, number_of(status, "uptime_s"));
  text_add(t, ", swaps since: %lld\n",
           (long long)number_of(counters, "rotations"));
}

/* Clients that found a certificate not to their liking, the latest first. */
static void add_refusals(text *t, const cJSON *refusals) {
  const char *label = "Refused by";
  int left = LINES_MAX;
  const cJSON *refusal;

  cJSON_ArrayForEach(refusal, refusals) {
    char time[CLI_TIME_LEN];

    if (left-- == 0) {
      break;
    }
    cli_time_text(time, number_of(refusal, "time"));
    text_add(t, LABEL "%s: ", label, time);
    cli_add_safely(t, string_of(refusal, "text"));
    if (number_of(refusal, "count") > 1) {
      text_add(t, " (%lld times)", (long long)number_of(refusal, "count"));
    }
    text_add(t, "\n");
    label = "";
  }
}

static void add_hook(text *t, const cJSON *hook) {
  int ok = cJSON_IsTrue(get(hook, "ok"));
  const char *error = string_of(hook, "last_error");

  add_line(t, "Hook", string_of(hook, "name"));
  text_add(
      t, LABEL "%s: %lld of %lld runs failed, %lld waiting, %lld dropped\n", "",
      ok ? "well" : "FAILING", (long long)number_of(hook, "failures"),
      (long long)number_of(hook, "runs"), (long long)number_of(hook, "pending"),
      (long long)number_of(hook, "dropped"));
  if (!ok && error[0]) {
    add_line(t, "", error);
  }
}

static void add_health(text *t, const cJSON *health) {
  const cJSON *hooks = get(health, "hooks");
  const cJSON *hook;

  if (string_of(health, "journal")[0]) {
    add_line(t, "Journal", string_of(health, "journal"));
  }
  cJSON_ArrayForEach(hook, hooks) { add_hook(t, hook); }
}

static void add_places(text *t, const cJSON *status) {
  const cJSON *health = get(status, "health");
  const cJSON *certificates = get(status, "certificates");
  const char *label = "Listens at";
  const cJSON *listen;

  cJSON_ArrayForEach(listen, get(health, "listen")) {
    if (cJSON_IsString(listen)) {
      add_line(t, label, listen->valuestring);
      label = "";
    }
  }
  if (string_of(health, "http")[0]) {
    add_line(t, "HTTP", string_of(health, "http"));
  }
  if (string_of(health, "state")[0]) {
    add_line(t, "State folder", string_of(health, "state"));
  } else if (cJSON_IsFalse(get(certificates, "durable"))) {
    add_line(t, "State folder", "none: nothing outlives this server");
  }
}

void cli_add_status(text *t, const cJSON *status, int64_t wall) {
  const cJSON *certificates = get(status, "certificates");

  add_state(t, status);
  add_next(t, get(certificates, "until"));
  add_slots(t, get(certificates, "slots"), wall);
  text_add(t, "\n");
  add_line(t, "Link",
           string_of(status, "link")[0] ? string_of(status, "link")
                                        : "none at the moment");
  add_line(t, "Identity", string_of(status, "identity"));
  add_places(t, status);
  add_traffic(t, status);
  add_refusals(t, get(status, "refusals"));
  add_health(t, get(status, "health"));
}

void cli_add_published(text *t, const cJSON *published, int64_t wall) {
  const cJSON *hashes = get(published, "hashes");
  const cJSON *hash;

  cJSON_ArrayForEach(hash, hashes) {
    int active = strcmp(string_of(hash, "use"), "active") == 0;
    int64_t time = number_of(hash, active ? "active_until" : "active_from");

    add_line(t, active ? "Active" : "Standby", string_of(hash, "hex"));
    if (time > wall) {
      text_add(t, LABEL "%s in ", "", active ? "gives way" : "takes over");
      add_words(t, time - wall);
      text_add(t, "\n");
    }
  }
  if (string_of(published, "link")[0]) {
    add_line(t, "Link", string_of(published, "link"));
  } else {
    add_line(t, "Link",
             "none: nobody can connect now; \"fortnight status\" says why");
  }
  if (cJSON_IsTrue(get(published, "unsettled"))) {
    text_add(t, "The state folder's disk takes its time, so this is not all "
                "done yet:\n\"fortnight status\" says how far it is.\n");
  }
}
