/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics.h"

#include <inttypes.h>

typedef enum kind { GAUGE, COUNTER } kind;

/* The lines above the samples of one metric. */
static void head(text *t, kind k, const char *name, const char *help) {
  text_add(t, "# HELP fortnight_%s %s\n# TYPE fortnight_%s %s\n", name, help,
           name, k == COUNTER ? "counter" : "gauge");
}

static void sample(text *t, const char *name, const char *label,
                   const char *value, int64_t number) {
  text_add(t, "fortnight_%s{%s=\"", name, label);
  text_add_label(t, value);
  text_add(t, "\"} %" PRId64 "\n", number);
}

/* Counters are told as doubles anyway, so none is near the end of int64_t. */
static int64_t number_of(uint64_t n) {
  return n <= INT64_MAX ? (int64_t)n : INT64_MAX;
}

static void one(text *t, kind k, const char *name, const char *help,
                int64_t number) {
  head(t, k, name, help);
  text_add(t, "fortnight_%s %" PRId64 "\n", name, number);
}

static void counter(text *t, const char *name, const char *help, uint64_t n) {
  one(t, COUNTER, name, help, number_of(n));
}

static void write_process(text *t, const documents_source *s) {
  head(t, GAUGE, "build_info", "1; the label tells the version.");
  sample(t, "build_info", "version", s->version ? s->version : "", 1);
  if (s->started) {
    one(t, GAUGE, "start_time_seconds",
        "When the process began, in seconds since 1970 UTC.", s->started);
  }
  one(t, GAUGE, "wall_time_seconds",
      "The wall clock, in seconds since 1970 UTC.", s->wall);
}

static void write_lifecycle(text *t, const cm_manager *mgr) {
  const cm_lifecycle *lc = cm_manager_lifecycle(mgr);
  int i;

  head(t, GAUGE, "state", "1 for the state that the manager is in, else 0.");
  for (i = 0; i < CM_MANAGER_STATE_COUNT; ++i) {
    sample(t, "state", "state", cm_manager_state_name((cm_manager_state)i),
           (int)lc->state == i);
  }
  head(t, GAUGE, "milestone_seconds",
       "Seconds until what lies ahead; 0 if it is overdue, absent if it does "
       "not lie ahead.");
  for (i = 0; i < CM_MILESTONE_COUNT; ++i) {
    int64_t left = cm_manager_until(mgr, (cm_milestone)i);

    if (left >= 0) {
      sample(t, "milestone_seconds", "milestone",
             cm_milestone_name((cm_milestone)i), left);
    }
  }
  one(t, GAUGE, "sequence", "The number of the last document published.",
      number_of(lc->seq));
  one(t, GAUGE, "epoch", "Grows with each reset.", number_of(lc->epoch));
}

static void write_certificate(text *t, const char *name, const cm_manager *mgr,
                              int not_after) {
  const cm_certificate *certs[2] = {cm_manager_active(mgr),
                                    cm_manager_standby(mgr)};
  static const char *const uses[2] = {"active", "standby"};
  int i;

  for (i = 0; i < 2; ++i) {
    if (certs[i]) {
      sample(t, name, "use", uses[i],
             not_after ? certs[i]->not_after : certs[i]->not_before);
    }
  }
}

static void write_certificates(text *t, const cm_manager *mgr) {
  const cm_publication *pub = cm_manager_publication(mgr);

  head(t, GAUGE, "certificate_not_before_seconds",
       "From when a certificate is valid, in seconds since 1970 UTC.");
  write_certificate(t, "certificate_not_before_seconds", mgr, 0);
  head(t, GAUGE, "certificate_not_after_seconds",
       "Until when a certificate is valid, in seconds since 1970 UTC.");
  write_certificate(t, "certificate_not_after_seconds", mgr, 1);
  one(t, GAUGE, "published", "Whether clients are told a hash.",
      pub && pub->set.active);
  if (pub && pub->set.active) {
    one(t, GAUGE, "document_valid_until_seconds",
        "Until when the published hashes are of use, in seconds since 1970 "
        "UTC.",
        pub->valid_until);
  }
}

static void write_counters(text *t, const cm_counters *c) {
  int i;

  counter(t, "rotations_total",
          "Swaps from one certificate in service to the next.", c->rotations);
  counter(t, "revocations_total", "Certificates revoked.", c->revocations);
  counter(t, "certificates_minted_total", "Certificates made.", c->minted);
  counter(t, "certificates_destroyed_total", "Certificates erased.",
          c->destroyed);
  counter(t, "certificates_quarantined_total",
          "Certificates that were found unfit.", c->quarantined);
  counter(t, "saves_total", "Times that the state was made durable.", c->saved);
  counter(t, "publications_total", "Documents published.", c->published);
  counter(t, "clock_jumps_total", "Jumps of the wall clock.", c->clock_jumps);
  head(t, COUNTER, "failures_total",
       "Actions that failed, and were tried again.");
  for (i = CM_ACTION_NONE + 1; i < CM_ACTION_COUNT; ++i) {
    sample(t, "failures_total", "action", cm_action_name((cm_action)i),
           number_of(c->failures[i]));
  }
}

static void write_network(text *t, const documents_source *s) {
  const quic_endpoint_counters *c = s->network;
  size_t i;

  one(t, GAUGE, "sessions", "WebTransport sessions open.",
      number_of(s->sessions));
  counter(t, "sessions_total", "WebTransport sessions ever opened.",
          s->sessions_total);
  one(t, GAUGE, "connections", "QUIC connections.", number_of(s->connections));
  one(t, GAUGE, "handshakes_open", "Connections whose handshake goes on.",
      number_of(s->handshakes_open));
  one(t, GAUGE, "connections_memory_bytes",
      "Memory of all connections, TLS apart.", number_of(s->memory));
  if (s->nhandshakes) {
    head(t, COUNTER, "handshakes_total", "Handshakes by what became of them.");
    for (i = 0; i < s->nhandshakes; ++i) {
      sample(t, "handshakes_total", "result", s->handshakes[i].label,
             number_of(s->handshakes[i].count));
    }
  }
  if (!c) {
    return;
  }
  counter(t, "connections_accepted_total", "QUIC connections accepted.",
          c->connections_accepted);
  head(t, COUNTER, "connections_refused_total",
       "QUIC connections refused, by the limit that stood against them.");
  for (i = 0; i < QUIC_REFUSED_COUNT; ++i) {
    sample(t, "connections_refused_total", "limit",
           quic_refused_name((quic_refused)i), number_of(c->refused[i]));
  }
  counter(t, "initials_ignored_total",
          "Initials that found no certificate to be served with.",
          c->initials_ignored);
  counter(t, "retries_total", "Retry packets sent.", c->retries_sent);
  head(t, COUNTER, "tokens_total",
       "Initials with a token for their address, by what it was worth.");
  sample(t, "tokens_total", "result", "accepted",
         number_of(c->tokens_accepted));
  sample(t, "tokens_total", "result", "refused", number_of(c->tokens_refused));
  sample(t, "tokens_total", "result", "expired", number_of(c->tokens_expired));
  counter(t, "datagrams_received_total", "UDP datagrams received.",
          c->datagrams_received);
  counter(t, "datagrams_sent_total", "UDP datagrams sent.", c->datagrams_sent);
  counter(t, "received_bytes_total", "Octets of UDP payload received.",
          c->octets_received);
  counter(t, "sent_bytes_total", "Octets of UDP payload sent.", c->octets_sent);
  counter(t, "packets_dropped_total",
          "Packets that belong to no connection and ask for none.",
          c->packets_dropped);
  counter(t, "version_negotiations_total", "Version negotiations sent.",
          c->version_negotiations);
  counter(t, "stateless_resets_total", "Stateless resets sent.",
          c->stateless_resets);
}

static void write_hooks(text *t, const documents_source *s) {
  size_t i;

  if (!s->nhooks) {
    return;
  }
  head(t, GAUGE, "hook_ok", "Whether the last run of a command succeeded.");
  for (i = 0; i < s->nhooks; ++i) {
    sample(t, "hook_ok", "hook", s->hooks[i].name, s->hooks[i].ok != 0);
  }
  head(t, GAUGE, "hook_pending", "What waits for a command to take it.");
  for (i = 0; i < s->nhooks; ++i) {
    sample(t, "hook_pending", "hook", s->hooks[i].name,
           number_of(s->hooks[i].pending));
  }
  head(t, COUNTER, "hook_runs_total", "Runs of a command.");
  for (i = 0; i < s->nhooks; ++i) {
    sample(t, "hook_runs_total", "hook", s->hooks[i].name,
           number_of(s->hooks[i].runs));
  }
  head(t, COUNTER, "hook_failures_total", "Runs of a command that failed.");
  for (i = 0; i < s->nhooks; ++i) {
    sample(t, "hook_failures_total", "hook", s->hooks[i].name,
           number_of(s->hooks[i].failures));
  }
  head(t, COUNTER, "hook_dropped_total", "What no command ever took.");
  for (i = 0; i < s->nhooks; ++i) {
    sample(t, "hook_dropped_total", "hook", s->hooks[i].name,
           number_of(s->hooks[i].dropped));
  }
}

void metrics_write(text *t, const documents_source *source) {
  write_process(t, source);
  write_lifecycle(t, source->certificates);
  write_certificates(t, source->certificates);
  write_counters(t, cm_manager_counters(source->certificates));
  write_network(t, source);
  write_hooks(t, source);
}
