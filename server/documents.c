/* SPDX-License-Identifier: Apache-2.0 */
#include "server/documents.h"

#include "server/metrics.h"
#include "server/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TEXT_PLAIN "text/plain; charset=utf-8"
#define NO_STORE "no-store"

/* When to ask again for what is withdrawn, in seconds. */
#define RETRY_AFTER "30"

static const char paths[] =
    "/hashes.json         the signed hash set\n"
    "/certificate.sha256  the hashes, one a line, active first\n"
    "/share               the link\n"
    "/healthz             where the appliance stands\n"
    "/metrics             the same in numbers, for Prometheus\n";

/* What one answer is made of. */
typedef struct answer {
  documents_reply *reply;
  const documents_source *source;
  const documents_request *request;
  text body;
} answer;

/* ---- Headers ---- */

static void add_header(answer *a, const char *name, const char *value) {
  documents_reply *reply = a->reply;
  documents_header *h;

  if (reply->nheaders == DOCUMENTS_HEADERS_MAX) {
    return;
  }
  h = &reply->headers[reply->nheaders++];
  h->name = name;
  snprintf(h->value, sizeof(h->value), "%s", value);
}

static void describe(answer *a, int status, const char *type,
                     const char *cache_control) {
  a->reply->status = status;
  add_header(a, "content-type", type);
  add_header(a, "cache-control", cache_control);
  add_header(a, "x-content-type-options", "nosniff");
}

/* The hashes are meant for everybody, pages of any origin included. */
static void allow_any_origin(answer *a) {
  add_header(a, "access-control-allow-origin", "*");
  add_header(a, "access-control-expose-headers", "etag");
}

/* ---- Conditional requests ---- */

/* Whether the field value |list| (RFC 9110 section 13.1.2) has |etag|, by weak
   comparison (section 8.8.3.2). */
static int names_etag(const char *list, const char *etag) {
  size_t len = strlen(etag);

  for (;;) {
    list += strspn(list, " \t,");
    if (*list == '*') {
      return 1;
    }
    if (strncmp(list, "W/", 2) == 0) {
      list += 2;
    }
    if (*list != '"') {
      return 0;
    }
    if (strncmp(list, etag, len) == 0) {
      return 1;
    }
    list = strchr(list + 1, '"');
    if (!list) {
      return 0;
    }
    ++list;
  }
}

/* Whether the parameters of a media range say that it is not wanted: a weight
   of 0 (RFC 9110 section 12.4.2). */
static int is_unwanted(const char *parameters, const char *end) {
  const char *p = parameters;

  while (p < end && (p = memchr(p, ';', (size_t)(end - p)))) {
    ++p;
    p += strspn(p, " \t");
    if ((*p == 'q' || *p == 'Q') && p[1] == '=') {
      return p[2 + strspn(p + 2, "0.")] < '1' ||
             p[2 + strspn(p + 2, "0.")] > '9';
    }
  }
  return 0;
}

/* Whether |accept| asks for HTML by name: then it is a person's browser. */
static int accepts_html(const char *accept) {
  static const char html[] = "text/html";
  const size_t len = sizeof(html) - 1;
  const char *end;

  for (; accept && *accept; accept = end) {
    accept += strspn(accept, " \t,");
    end = accept + strcspn(accept, ",");
    if (strncasecmp(accept, html, len) == 0 &&
        strchr(" \t;,", accept[len]) != NULL &&
        !is_unwanted(accept + len, end)) {
      return 1;
    }
  }
  return 0;
}

/* ---- The hashes ---- */

/* The set to be told, or NULL after a reply that there is none. */
static const cm_publication *published(answer *a) {
  const cm_publication *pub = cm_manager_publication(a->source->certificates);

  if (pub && pub->set.active && pub->jws_len) {
    return pub;
  }
  describe(a, 503, TEXT_PLAIN, NO_STORE);
  allow_any_origin(a);
  add_header(a, "retry-after", RETRY_AFTER);
  text_add(&a->body, "There is no certificate to connect with now: %s.\n",
           cm_manager_state_name(
               cm_manager_lifecycle(a->source->certificates)->state));
  return NULL;
}

/* What no two documents have in common: the number alone begins anew with each
   identity, so two starts that keep nothing would have the same one.  The
   signature is the last part of |jws|, in base64url. */
#define ETAG_SIGNATURE 16

static const char *signature_of(const char *jws) {
  const char *dot = strrchr(jws, '.');

  return dot ? dot + 1 : jws;
}

/* Returns 1 if the body is to follow, 0 if the client has it. */
static int begin_hashes(answer *a, const cm_publication *pub, const char *type,
                        const char *suffix) {
  int64_t left = pub->valid_until - a->source->wall;
  int64_t age = left < pub->max_age ? left : pub->max_age;
  char cache_control[64];
  char etag[64];

  snprintf(cache_control, sizeof(cache_control), "public, max-age=%" PRId64,
           age > 0 ? age : 0);
  snprintf(etag, sizeof(etag), "\"%" PRIu64 "-%.*s%s\"", pub->seq,
           ETAG_SIGNATURE, signature_of(pub->jws), suffix);
  describe(a, 200, type, cache_control);
  add_header(a, "etag", etag);
  allow_any_origin(a);
  if (a->request->if_none_match &&
      names_etag(a->request->if_none_match, etag)) {
    a->reply->status = 304;
    return 0;
  }
  return 1;
}

static int get_hashes(answer *a) {
  const cm_publication *pub = published(a);

  if (pub && begin_hashes(a, pub, "application/jose", "")) {
    text_add(&a->body, "%s", pub->jws);
  }
  return 0;
}

static int get_certificate(answer *a) {
  const cm_publication *pub = published(a);
  char lines[2 * (CM_HEX_LEN + 1) + 1];

  if (!pub || !begin_hashes(a, pub, TEXT_PLAIN, "")) {
    return 0;
  }
  if (cm_hashset_text(lines, sizeof(lines), &pub->set) < 0) {
    return -1;
  }
  text_add(&a->body, "%s", lines);
  return 0;
}

static int get_share(answer *a) {
  const cm_publication *pub = published(a);
  int html = accepts_html(a->request->accept);
  char link[CM_LINK_MAX];
  int more;

  if (!pub) {
    return 0;
  }
  more = begin_hashes(a, pub, html ? "text/html; charset=utf-8" : TEXT_PLAIN,
                      html ? "-html" : "");
  add_header(a, "vary", "accept");
  if (!more) {
    return 0;
  }
  if (cm_hashset_link(link, sizeof(link), &pub->set) < 0) {
    return -1;
  }
  if (!html) {
    text_add(&a->body, "%s\n", link);
    return 0;
  }
  add_header(a, "content-security-policy",
             "default-src 'none'; style-src 'unsafe-inline'");
  text_add(&a->body,
           "<!doctype html>\n"
           "<html lang=\"en\">\n"
           "<meta charset=\"utf-8\">\n"
           "<meta name=\"viewport\" content=\"width=device-width\">\n"
           "<title>Fortnight</title>\n"
           "<style>\n"
           "body { font: 1em/1.5 system-ui; margin: 2em; max-width: 45em }\n"
           "code { overflow-wrap: anywhere; user-select: all }\n"
           "</style>\n"
           "<p>A page that is given this link can connect to this appliance; "
           "it needs nothing else:</p>\n"
           "<p><code>");
  text_add_html(&a->body, link);
  text_add(&a->body, "</code></p>\n");
  return 0;
}

/* ---- Health ---- */

static int is_healthy(cm_manager_state state) {
  return state == CM_STATE_HEALTHY || state == CM_STATE_NO_STANDBY ||
         state == CM_STATE_CLOCK_SUSPECT || state == CM_STATE_STORE_FAILED;
}

static void write_hook(text *t, const documents_hook *h) {
  text_add(t, "{\"name\":");
  text_add_json(t, h->name);
  text_add(t,
           ",\"ok\":%s,\"runs\":%" PRIu64 ",\"failures\":%" PRIu64
           ",\"dropped\":%" PRIu64 ",\"pending\":%zu,\"last_error\":",
           h->ok ? "true" : "false", h->runs, h->failures, h->dropped,
           h->pending);
  text_add_json(t, h->last_error ? h->last_error : "");
  text_add(t, "}");
}

static void write_warnings(text *t, const documents_source *source,
                           cm_manager_state state) {
  const char *comma = "";
  size_t i;

  if (state != CM_STATE_HEALTHY) {
    text_add_json(t, cm_manager_state_words(cm_manager_state_name(state)));
    comma = ",";
  }
  for (i = 0; i < source->nhooks; ++i) {
    const documents_hook *h = &source->hooks[i];
    char line[512];

    if (!h->ok) {
      snprintf(line, sizeof(line), "the command of %s fails: %s", h->name,
               h->last_error ? h->last_error : "");
      text_add(t, "%s", comma);
      text_add_json(t, line);
      comma = ",";
    }
  }
}

static int get_health(answer *a) {
  const cm_manager *mgr = a->source->certificates;
  cm_manager_state state = cm_manager_lifecycle(mgr)->state;
  text *t = &a->body;
  const char *comma = "";
  size_t i;

  describe(a, is_healthy(state) ? 200 : 503, "application/json", NO_STORE);
  text_add(t, "{\"state\":\"%s\",\"ok\":%s,\"problem\":",
           cm_manager_state_name(state), is_healthy(state) ? "true" : "false");
  text_add_json(t, cm_manager_problem(mgr));
  text_add(t, ",\"warnings\":[");
  write_warnings(t, a->source, state);
  text_add(t, "],\"seconds_until\":{");
  for (i = 0; i < CM_MILESTONE_COUNT; ++i) {
    int64_t left = cm_manager_until(mgr, (cm_milestone)i);

    if (left >= 0) {
      text_add(t, "%s\"%s\":%" PRId64, comma,
               cm_milestone_name((cm_milestone)i), left);
      comma = ",";
    }
  }
  text_add(t, "},\"hooks\":[");
  for (i = 0; i < a->source->nhooks; ++i) {
    text_add(t, "%s", i ? "," : "");
    write_hook(t, &a->source->hooks[i]);
  }
  text_add(t, "]}\n");
  return 0;
}

static int get_metrics(answer *a) {
  describe(a, 200, METRICS_CONTENT_TYPE, NO_STORE);
  metrics_write(&a->body, a->source);
  return 0;
}

static int get_index(answer *a) {
  describe(a, 200, TEXT_PLAIN, NO_STORE);
  text_add(&a->body, "%s", paths);
  return 0;
}

/* ---- Requests ---- */

static int answer_request(answer *a) {
  static const struct {
    const char *path;
    int (*get)(answer *a);
  } documents[] = {{"/", get_index},
                   {"/hashes.json", get_hashes},
                   {"/certificate.sha256", get_certificate},
                   {"/share", get_share},
                   {"/healthz", get_health},
                   {"/metrics", get_metrics}};
  const char *method = a->request->method;
  size_t i;

  for (i = 0; i < sizeof(documents) / sizeof(documents[0]); ++i) {
    if (strcmp(a->request->path, documents[i].path) != 0) {
      continue;
    }
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) {
      return documents[i].get(a);
    }
    describe(a, 405, TEXT_PLAIN, NO_STORE);
    add_header(a, "allow", "GET, HEAD");
    text_add(&a->body, "This can only be fetched.\n");
    return 0;
  }
  describe(a, 404, TEXT_PLAIN, NO_STORE);
  text_add(&a->body, "There is nothing here.  What there is:\n\n%s", paths);
  return 0;
}

int documents_get(documents_reply *reply, const documents_source *source,
                  const documents_request *request) {
  answer a = {.reply = reply, .source = source, .request = request};

  memset(reply, 0, sizeof(*reply));
  if (answer_request(&a) != 0 || a.body.failed) {
    text_free(&a.body);
    memset(reply, 0, sizeof(*reply));
    return DOCUMENTS_ERR_NOMEM;
  }
  reply->body = a.body.data;
  reply->len = a.body.len;
  return 0;
}

void documents_reply_free(documents_reply *reply) {
  free(reply->body);
  memset(reply, 0, sizeof(*reply));
}

const char *documents_reply_header(const documents_reply *reply,
                                   const char *name) {
  size_t i;

  for (i = 0; i < reply->nheaders; ++i) {
    if (strcmp(reply->headers[i].name, name) == 0) {
      return reply->headers[i].value;
    }
  }
  return NULL;
}
