/* SPDX-License-Identifier: Apache-2.0 */
/* The appliance as the host of the certificate manager, and as its mouth. */
#include "server/appliance_internal.h"

#include "certmgr/duration.h"
#include "server/tls_probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than there ever is to do at a time. */
#define STEPS_MAX 200

cm_time appliance_cm_time(const appliance *a) {
  return (cm_time){a->now.wall, (int64_t)(a->now.mono / NGTCP2_SECONDS)};
}

/* ---- What the manager asks for ---- */

static served_context *context_of(appliance *a, const uint8_t *sha256) {
  size_t i;

  for (i = 0; i < sizeof(a->contexts) / sizeof(a->contexts[0]); ++i) {
    if (a->contexts[i].tls &&
        memcmp(a->contexts[i].sha256, sha256, CM_HASH_LEN) == 0) {
      return &a->contexts[i];
    }
  }
  return NULL;
}

/* Whether it has a key still. */
static int is_known(const appliance *a, const uint8_t *sha256) {
  const cm_slot *slot =
      cm_lifecycle_find_hash(cm_manager_lifecycle(a->certificates), sha256);

  return slot && slot->state != CM_CERT_DESTROYED;
}

/* Lets go of the contexts of certificates that are no more, for each has a copy
   of the key. */
static void forget_destroyed(appliance *a) {
  size_t i;

  for (i = 0; i < sizeof(a->contexts) / sizeof(a->contexts[0]); ++i) {
    served_context *c = &a->contexts[i];

    if (c->tls && !is_known(a, c->sha256)) {
      tls_context_unref(c->tls);
      c->tls = NULL;
    }
  }
}

/* Forgets the orphans, or (|all| 0) those whose last connection has gone. */
static void forget_orphans(appliance *a, int all) {
  orphaned_certificate **at = &a->orphans;

  while (*at) {
    orphaned_certificate *o = *at;

    if (all || !quic_endpoint_holds_certificate(a->endpoint, o->sha256)) {
      *at = o->next;
      free(o);
    } else {
      at = &o->next;
    }
  }
}

/* The certificate |id| has been destroyed.  Where there are many, it may have
   connections still: a reset is to reach them. */
static void bury(appliance *a, uint64_t id) {
  const cm_slot *slot =
      cm_lifecycle_find(cm_manager_lifecycle(a->certificates), id);
  orphaned_certificate *o;

  forget_destroyed(a);
  forget_orphans(a, 0);
  if (!slot || !quic_endpoint_holds_certificate(a->endpoint, slot->sha256)) {
    return;
  }
  o = malloc(sizeof(*o));
  if (!o) {
    /* Rather now than never. */
    quic_endpoint_close_certificate(a->endpoint, slot->sha256, a->now.mono);
    return;
  }
  memcpy(o->sha256, slot->sha256, CM_HASH_LEN);
  o->next = a->orphans;
  a->orphans = o;
}

static void close_orphans(appliance *a) {
  const orphaned_certificate *o;

  for (o = a->orphans; o; o = o->next) {
    quic_endpoint_close_certificate(a->endpoint, o->sha256, a->now.mono);
  }
  forget_orphans(a, 1);
}

/* Remembers |tls|.  There is always a place free, for there is one more than
   certificates. */
static void remember_context(appliance *a, tls_context *tls,
                             const uint8_t *sha256) {
  served_context *place = context_of(a, sha256);
  size_t i;

  forget_destroyed(a);
  for (i = 0; i < sizeof(a->contexts) / sizeof(a->contexts[0]); ++i) {
    if (!place && !a->contexts[i].tls) {
      place = &a->contexts[i];
    }
  }
  tls_context_unref(place->tls);
  place->tls = tls_context_ref(tls);
  memcpy(place->sha256, sha256, CM_HASH_LEN);
}

void appliance_forget_contexts(appliance *a) {
  size_t i;

  forget_orphans(a, 1);
  for (i = 0; i < sizeof(a->contexts) / sizeof(a->contexts[0]); ++i) {
    tls_context_unref(a->contexts[i].tls);
    a->contexts[i].tls = NULL;
  }
}

static int activate(void *user, const cm_certificate *certificate) {
  appliance *a = user;
  tls_context *tls;
  int rv = tls_context_new(&tls, certificate, &a->tls);

  if (rv == 0) {
    rv = tls_context_probe(tls, certificate->sha256);
    if (rv != 0) {
      tls_context_unref(tls);
    }
  }
  if (rv != 0) {
    /* Without memory a handshake may fail in many ways. */
    return rv == TLS_ERR_REFUSED ? CM_ERR_SELF_CHECK : CM_ERR_NOMEM;
  }
  remember_context(a, tls, certificate->sha256);
  quic_endpoint_set_tls(a->endpoint, tls);
  memcpy(a->served, certificate->sha256, CM_HASH_LEN);
  a->is_serving = 1;
  return 0;
}

static int publish(void *user, const cm_publication *publication) {
  appliance *a = user;
  cJSON *event;

  if (hash_feed_set(&a->feed, publication->jws, publication->jws_len) != 0) {
    return CM_ERR_NOMEM;
  }
  appliance_note_publication(a, publication->set.active);
  appliance_note_publication(a, publication->set.standby);
  event = appliance_describe_publication(a, publication);
  cJSON_AddStringToObject(event, "type", "certificates");
  appliance_emit(a, event);
  if (a->on_publish) {
    a->on_publish(a->user, publication);
  }
  return 0;
}

static int close_certificate(void *user, const uint8_t sha256[CM_HASH_LEN]) {
  appliance *a = user;

  if (a->is_serving && memcmp(a->served, sha256, CM_HASH_LEN) == 0) {
    /* There is no other to take its place: better nobody than this one. */
    quic_endpoint_set_tls(a->endpoint, NULL);
    a->is_serving = 0;
  }
  quic_endpoint_close_certificate(a->endpoint, sha256, a->now.mono);
  return 0;
}

static int holds(void *user, const uint8_t sha256[CM_HASH_LEN]) {
  const served_context *c = context_of(user, sha256);

  /* One that this process never served, it made no connection under. */
  return c && tls_context_is_shared(c->tls);
}

/* ---- Events ---- */

/* The action |name| of the lifecycle, for a person. */
static const char *deed_of(const char *name) {
  static const struct {
    cm_action action;
    const char *words;
  } all[] = {{CM_ACTION_GENERATE, "making a certificate"},
             {CM_ACTION_PERSIST, "saving the state"},
             {CM_ACTION_PUBLISH, "publishing the hashes"},
             {CM_ACTION_ACTIVATE, "putting a certificate into service"}};
  size_t i;

  for (i = 0; i < sizeof(all) / sizeof(all[0]); ++i) {
    if (strcmp(cm_action_name(all[i].action), name) == 0) {
      return all[i].words;
    }
  }
  return name;
}

static void explain_jump(char text[APPLIANCE_TEXT_MAX], int64_t seconds) {
  char words[CM_DURATION_MAX] = "";

  (void)cm_duration_words(words, sizeof(words),
                          seconds < 0 ? -seconds : seconds);
  snprintf(text, APPLIANCE_TEXT_MAX,
           seconds < 0 ? "the wall clock went back by %s"
                       : "the wall clock went forward by %s, or the machine "
                         "was asleep",
           words);
}

/* What a person should read of |entry|; |*level| NULL if nothing. */
static void explain(const cm_journal_entry *entry, const char **level,
                    char text[APPLIANCE_TEXT_MAX]) {
  const char *from = entry->from ? entry->from : "";
  const char *to = entry->to ? entry->to : "";
  const char *more = entry->text ? entry->text : "";
  size_t len = APPLIANCE_TEXT_MAX;

  *level = NULL;
  if (strcmp(entry->event, "state") == 0) {
    /* After each swap there is no standby that is READY, for some minutes; the
       manager warns if it takes longer. */
    *level = strcmp(to, "HEALTHY") == 0 || strcmp(to, "NO_STANDBY") == 0
                 ? "info"
                 : "warning";
    snprintf(text, len, "%s: %s", to, cm_manager_state_words(to));
  } else if (strcmp(entry->event, "certificate") == 0) {
    if (strcmp(to, "ACTIVE") == 0 || strcmp(to, "REVOKED") == 0 ||
        strcmp(to, "QUARANTINED") == 0) {
      *level = strcmp(to, "QUARANTINED") == 0 ? "error" : "info";
      snprintf(text, len, "certificate %.8s… is %s", more, to);
    }
  } else if (strcmp(entry->event, "clock") == 0) {
    *level = "warning";
    explain_jump(text, entry->value);
  } else if (strcmp(entry->event, "failed") == 0) {
    *level = "error";
    snprintf(text, len, "%s failed, and is tried again: %s", deed_of(from),
             more);
  } else if (strcmp(entry->event, "quarantined") == 0) {
    *level = "error";
    snprintf(text, len, "certificate %" PRIu64 " is set aside: %s", entry->id,
             more);
  } else if (strcmp(entry->event, "warning") == 0 ||
             strcmp(entry->event, "error") == 0) {
    *level = entry->event;
    snprintf(text, len, "no standby certificate for %" PRId64 " hours",
             entry->value / 3600);
  } else if (strcmp(entry->event, "identity") == 0) {
    *level = "warning";
    snprintf(text, len, "the identity is now %s", more);
  }
}

static cJSON *journal_event(const cm_journal_entry *entry) {
  cJSON *event = appliance_event("journal");

  cJSON_AddNumberToObject(event, "time", (double)entry->time);
  cJSON_AddStringToObject(event, "event", entry->event);
  if (entry->id) {
    cJSON_AddNumberToObject(event, "id", (double)entry->id);
  }
  if (entry->from) {
    cJSON_AddStringToObject(event, "from", entry->from);
  }
  if (entry->to) {
    cJSON_AddStringToObject(event, "to", entry->to);
  }
  if (entry->text) {
    cJSON_AddStringToObject(event, "text", entry->text);
  }
  if (entry->has_value) {
    cJSON_AddNumberToObject(event, "value", (double)entry->value);
  }
  return event;
}

static void on_entry(void *user, const cm_journal_entry *entry) {
  appliance *a = user;
  char text[APPLIANCE_TEXT_MAX];
  const char *level;

  if (a->on_journal) {
    a->on_journal(a->user, entry);
  }
  appliance_emit(a, journal_event(entry));
  if (strcmp(entry->event, "certificate") == 0 &&
      strcmp(entry->to, "DESTROYED") == 0) {
    bury(a, entry->id);
  }
  if (strcmp(entry->event, "state") == 0) {
    cJSON *event = appliance_event("state");

    cJSON_AddStringToObject(event, "state", entry->to);
    cJSON_AddStringToObject(event, "from", entry->from);
    appliance_emit(a, event);
  }
  explain(entry, &level, text);
  if (level) {
    appliance_log(a, level, text);
  }
}

const cm_callbacks appliance_callbacks = {activate, publish, close_certificate,
                                          holds, on_entry};

/* ---- Its time ---- */

void appliance_tend_certificates(appliance *a) {
  cm_time now = appliance_cm_time(a);
  int64_t wait;

  appliance_tell_refusals(a);
  /* One thing a turn, so that packets do not have to wait for all of them. */
  if (cm_manager_step(a->certificates, &now, &wait) == 1) {
    a->certificates_deadline = a->now.mono;
  } else {
    a->certificates_deadline = a->now.mono + (uint64_t)wait * NGTCP2_SECONDS;
  }
}

void appliance_settle_certificates(appliance *a) {
  int i = 0;

  do {
    appliance_tend_certificates(a);
  } while (a->certificates_deadline == a->now.mono && ++i < STEPS_MAX);
}

static int serves_what_is_valid(const appliance *a) {
  const cm_certificate *certificate =
      cm_manager_serving(a->certificates, a->now.wall);

  return certificate && a->is_serving &&
         memcmp(certificate->sha256, a->served, CM_HASH_LEN) == 0;
}

int appliance_on_initial(void *user) {
  appliance *a = user;

  /* Timers stop while a machine sleeps: what was valid a moment ago may have
     expired since. */
  if (!serves_what_is_valid(a)) {
    appliance_settle_certificates(a);
  }
  return serves_what_is_valid(a) ? 0 : -1;
}

/* ---- What is published ---- */

static void add_hash(cJSON *array, const appliance *a, const char *use,
                     const uint8_t *sha256) {
  char hex[CM_HEX_LEN + 1], b64url[CM_BASE64URL_LEN + 1];
  const cm_slot *slot;
  cJSON *object;

  if (!sha256) {
    return;
  }
  slot = cm_lifecycle_find_hash(cm_manager_lifecycle(a->certificates), sha256);
  object = cJSON_CreateObject();
  (void)cm_hash_hex(hex, sizeof(hex), sha256);
  (void)cm_hash_base64url(b64url, sizeof(b64url), sha256);
  cJSON_AddStringToObject(object, "use", use);
  cJSON_AddStringToObject(object, "hex", hex);
  cJSON_AddStringToObject(object, "b64url", b64url);
  if (slot) {
    cJSON_AddNumberToObject(object, "not_before", (double)slot->not_before);
    cJSON_AddNumberToObject(object, "not_after", (double)slot->not_after);
    cJSON_AddNumberToObject(object, "active_from", (double)slot->active_at);
    cJSON_AddNumberToObject(object, "active_until", (double)slot->retire_at);
  }
  if (!cJSON_AddItemToArray(array, object)) {
    cJSON_Delete(object);
  }
}

cJSON *appliance_describe_publication(const appliance *a,
                                      const cm_publication *pub) {
  const cm_lifecycle *lc = cm_manager_lifecycle(a->certificates);
  cJSON *object = cJSON_CreateObject(), *hashes;
  char text[CM_LINK_MAX];

  cJSON_AddStringToObject(object, "state", cm_manager_state_name(lc->state));
  cJSON_AddStringToObject(object, "identity",
                          cm_manager_thumbprint(a->certificates));
  if (!pub || !pub->set.active) {
    cJSON_AddNullToObject(object, "url");
    cJSON_AddNullToObject(object, "link");
    cJSON_AddArrayToObject(object, "hashes");
    return object;
  }
  hashes = cJSON_AddArrayToObject(object, "hashes");
  add_hash(hashes, a, "active", pub->set.active);
  add_hash(hashes, a, "standby", pub->set.standby);
  if (!hashes ||
      !cJSON_AddNumberToObject(object, "epoch", (double)pub->epoch) ||
      !cJSON_AddNumberToObject(object, "seq", (double)pub->seq) ||
      cm_hashset_url(text, sizeof(text), &pub->set) < 0 ||
      !cJSON_AddStringToObject(object, "url", text) ||
      cm_hashset_link(text, sizeof(text), &pub->set) < 0 ||
      !cJSON_AddStringToObject(object, "link", text)) {
    cJSON_Delete(object);
    return NULL;
  }
  return object;
}

cJSON *appliance_describe(const appliance *a) {
  return appliance_describe_publication(
      a, cm_manager_publication(a->certificates));
}

/* ---- Commands ---- */

static int is_set(const cJSON *command, const char *name) {
  return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(command, name));
}

static cJSON *carry_out(appliance *a, cm_command command) {
  cm_time now = appliance_cm_time(a);
  cm_refused refused = cm_manager_command(a->certificates, command, &now);
  char text[256];
  cJSON *reply;
  int64_t left;

  a->certificates_deadline = a->now.mono;
  if (refused == CM_COMMAND_ACCEPTED && command == CM_COMMAND_RESET) {
    close_orphans(a);
  }
  if (refused == CM_COMMAND_ACCEPTED) {
    return appliance_describe(a);
  }
  left = cm_manager_until(a->certificates, CM_MILESTONE_STANDBY_READY);
  if (refused != CM_COMMAND_NOT_READY || left <= 0) {
    return appliance_refuse(cm_refused_text(refused));
  }
  snprintf(text, sizeof(text),
           "%s: it is ready in %" PRId64 " s; clients that do not know it yet "
           "would be refused",
           cm_refused_text(refused), left);
  reply = appliance_refuse(text);
  cJSON_AddTrueToObject(reply, "can_force");
  return reply;
}

typedef int (*form_writer)(char *dest, size_t destlen, const cm_hashset *set);
typedef int (*hash_writer)(char *dest, size_t destlen,
                           const uint8_t hash[CM_HASH_LEN]);

/* One hash a line, active first. */
static int write_hashes(char *dest, size_t destlen, const cm_hashset *set,
                        hash_writer write) {
  int len = write(dest, destlen, set->active);

  if (len >= 0 && set->standby && (size_t)len + 1 < destlen) {
    int more = write(dest + len + 1, destlen - (size_t)len - 1, set->standby);

    dest[len] = '\n';
    len = more < 0 ? more : len + 1 + more;
  }
  return len;
}

static cJSON *write_form(const appliance *a, const char *form) {
  static const struct {
    const char *name;
    form_writer set;
    hash_writer hash;
  } forms[] = {{"link", cm_hashset_link, NULL},
               {"url", cm_hashset_url, NULL},
               {"multiaddr", cm_hashset_multiaddr, NULL},
               {"snippet", cm_hashset_snippet, NULL},
               {"text", cm_hashset_text, NULL},
               {"json", cm_hashset_json, NULL},
               {"hex", NULL, cm_hash_hex},
               {"openssl", NULL, cm_hash_openssl},
               {"base64", NULL, cm_hash_base64},
               {"base64url", NULL, cm_hash_base64url},
               {"certhash", NULL, cm_hash_certhash}};
  const cm_publication *pub = cm_manager_publication(a->certificates);
  char text[CM_LINK_MAX];
  cJSON *reply;
  int len = CM_ERR_INVALID;
  size_t i;

  if (!pub || !pub->set.active) {
    return appliance_refuse("there is no certificate to connect with");
  }
  if (strcmp(form, "jws") == 0) {
    len = snprintf(text, sizeof(text), "%s", pub->jws);
  }
  for (i = 0; i < sizeof(forms) / sizeof(forms[0]); ++i) {
    if (strcmp(form, forms[i].name) == 0) {
      len = forms[i].set
                ? forms[i].set(text, sizeof(text), &pub->set)
                : write_hashes(text, sizeof(text), &pub->set, forms[i].hash);
    }
  }
  if (len < 0 || (size_t)len >= sizeof(text)) {
    return appliance_refuse(
        "the forms are link, url, hex, openssl, base64, base64url, certhash, "
        "multiaddr, snippet, text, json, jws");
  }
  reply = cJSON_CreateObject();
  cJSON_AddStringToObject(reply, "text", text);
  return reply;
}

static cJSON *identity(appliance *a, const cJSON *command) {
  const cJSON *backup = cJSON_GetObjectItemCaseSensitive(command, "restore");
  char text[CM_IDENTITY_BACKUP_MAX];
  cJSON *reply;
  int rv;

  if (backup) {
    cm_time now = appliance_cm_time(a);

    rv = cJSON_IsString(backup)
             ? cm_manager_restore(a->certificates, backup->valuestring, &now)
             : CM_ERR_INVALID;
    a->certificates_deadline = a->now.mono;
    return rv == 0 ? appliance_describe(a)
           : rv == CM_ERR_INVALID || rv == CM_ERR_SIGNATURE
               ? appliance_refuse("this is no backup of an identity, or there "
                                  "is a slip in it")
               : appliance_refuse(cm_strerror(rv));
  }
  reply = cJSON_CreateObject();
  cJSON_AddStringToObject(reply, "thumbprint",
                          cm_manager_thumbprint(a->certificates));
  if (is_set(command, "backup")) {
    rv = cm_manager_backup(a->certificates, text, sizeof(text));
    if (rv < 0) {
      cJSON_Delete(reply);
      return appliance_refuse(cm_strerror(rv));
    }
    cJSON_AddStringToObject(reply, "backup", text);
    explicit_bzero(text, sizeof(text));
  }
  return reply;
}

cJSON *appliance_certificate_command(appliance *a, const char *name,
                                     const cJSON *command) {
  const cJSON *form = cJSON_GetObjectItemCaseSensitive(command, "form");

  if (strcmp(name, "rotate") == 0) {
    return carry_out(a, is_set(command, "force") ? CM_COMMAND_ROTATE_FORCED
                                                 : CM_COMMAND_ROTATE);
  }
  if (strcmp(name, "revoke") == 0) {
    return carry_out(a, CM_COMMAND_REVOKE);
  }
  if (strcmp(name, "reset") == 0) {
    return carry_out(a, CM_COMMAND_RESET);
  }
  if (strcmp(name, "hashes") == 0) {
    return cJSON_IsString(form) ? write_form(a, form->valuestring)
                                : appliance_describe(a);
  }
  return strcmp(name, "identity") == 0 ? identity(a, command) : NULL;
}
