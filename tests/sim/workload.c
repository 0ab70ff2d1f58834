/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/workload.h"

#include <stdlib.h>
#include <string.h>

#define PERIOD 65536
/* Datagrams remembered; a power of two. */
#define RING 65536
#define HEADER 16
/* What a source sends repeats itself after so many octets. */
#define SOURCE_PERIOD 251

typedef struct stream_state {
  int64_t id;
  uint64_t written;
  /* Echoed, acknowledged or come. */
  uint64_t done;
  /* What a sink has answered. */
  uint64_t answer;
  uint64_t opened;
} stream_state;

struct sim_worker {
  sim_load *load;
  sim_client *client;
  int64_t session;
  int ready;
  uint64_t now;
  uint64_t begun;
  stream_state *streams;
  size_t nstreams;
  /* When each datagram was due, by its number modulo RING; 0: done with. */
  uint64_t *ring;
  uint64_t next_number;
  uint64_t oldest;
  size_t outstanding;
  uint64_t next_due;
};

/* Twice the period, so that a run may begin anywhere in it. */
static uint8_t pattern[2 * PERIOD];
static uint8_t source[PERIOD + SOURCE_PERIOD];

static void fill_pattern(void) {
  sim_random random;
  size_t i;

  if (pattern[0] != 0) {
    return;
  }
  sim_random_seed(&random, 1);
  sim_random_fill(&random, pattern, PERIOD);
  pattern[0] = 1;
  memcpy(pattern + PERIOD, pattern, PERIOD);
  for (i = 0; i < sizeof(source); ++i) {
    source[i] = (uint8_t)(i % SOURCE_PERIOD);
  }
}

sim_worker *sim_worker_new(sim_load *load) {
  sim_worker *worker = calloc(1, sizeof(*worker));

  if (worker == NULL) {
    return NULL;
  }
  fill_pattern();
  worker->load = load;
  worker->nstreams = load->config.streams;
  if (load->config.mode == SIM_LOAD_STREAM ||
      load->config.mode == SIM_LOAD_UPLOAD ||
      load->config.mode == SIM_LOAD_DOWNLOAD) {
    worker->streams = calloc(worker->nstreams, sizeof(*worker->streams));
  } else if (load->config.mode == SIM_LOAD_DATAGRAMS) {
    worker->ring = calloc(RING, sizeof(*worker->ring));
  } else {
    return worker;
  }
  if (worker->streams == NULL && worker->ring == NULL) {
    free(worker);
    return NULL;
  }
  return worker;
}

void sim_worker_free(sim_worker *worker) {
  if (worker == NULL) {
    return;
  }
  free(worker->streams);
  free(worker->ring);
  free(worker);
}

void sim_worker_begin(sim_worker *worker, sim_client *client, uint64_t now) {
  size_t i;

  worker->client = client;
  worker->session = SIM_NO_SESSION;
  worker->ready = 0;
  worker->begun = worker->now = now;
  if (worker->streams != NULL) {
    for (i = 0; i < worker->nstreams; ++i) {
      worker->streams[i].id = -1;
    }
  }
}

void sim_worker_tick(sim_worker *worker, uint64_t now) { worker->now = now; }

int sim_worker_ready(const sim_worker *worker) { return worker->ready; }

size_t sim_worker_outstanding(const sim_worker *worker) {
  return worker->outstanding;
}

static int counting(const sim_worker *worker) {
  return worker->now >= worker->load->start && worker->now < worker->load->stop;
}

/* Streams */

static void top_up(sim_worker *worker, stream_state *stream) {
  const sim_load_config *config = &worker->load->config;
  uint64_t room, n;
  int fin = 0;

  while (stream->written - stream->done < config->window) {
    room = config->window - (stream->written - stream->done);
    n = room < PERIOD ? room : PERIOD;
    if (config->size != 0) {
      if (stream->written == config->size) {
        return;
      }
      if (n > config->size - stream->written) {
        n = config->size - stream->written;
      }
      fin = stream->written + n == config->size;
    }
    /* Not in driblets, unless the window is one. */
    if (n < 4096 && !fin && stream->written - stream->done > 0) {
      return;
    }
    if (sim_client_stream_write(worker->client, stream->id,
                                pattern + stream->written % PERIOD, (size_t)n,
                                fin) != 0) {
      return;
    }
    stream->written += n;
  }
}

static void progress(sim_worker *worker, stream_state *stream, uint64_t n) {
  stream->done += n;
  if (counting(worker)) {
    worker->load->octets += n;
  }
}

/* An upload's octets are done when they are acknowledged. */
static void take_acknowledged(sim_worker *worker, stream_state *stream) {
  uint64_t pending = sim_client_stream_pending(worker->client, stream->id);

  /* The prefix of the stream is pending too. */
  if (pending < stream->written - stream->done) {
    progress(worker, stream, stream->written - stream->done - pending);
  }
}

static int open_stream(sim_worker *worker, stream_state *stream) {
  int64_t id;

  if (sim_client_open_bidi(worker->client, worker->session, &id) != 0) {
    return -1;
  }
  stream->id = id;
  stream->written = stream->done = stream->answer = 0;
  stream->opened = worker->now;
  if (worker->load->config.mode == SIM_LOAD_DOWNLOAD) {
    return sim_client_stream_write(worker->client, id, NULL, 0, 1);
  }
  top_up(worker, stream);
  return 0;
}

static void run_streams(sim_worker *worker) {
  stream_state *stream;
  size_t i;

  if (worker->now >= worker->load->stop) {
    return;
  }
  for (i = 0; i < worker->nstreams; ++i) {
    stream = &worker->streams[i];
    if (stream->id < 0) {
      if (open_stream(worker, stream) != 0) {
        return;
      }
    } else if (worker->load->config.mode == SIM_LOAD_UPLOAD) {
      take_acknowledged(worker, stream);
      top_up(worker, stream);
    }
  }
}

static stream_state *find_stream(sim_worker *worker, int64_t id) {
  size_t i;

  for (i = 0; i < worker->nstreams; ++i) {
    if (worker->streams[i].id == id) {
      return &worker->streams[i];
    }
  }
  return NULL;
}

static void end_stream(sim_worker *worker, stream_state *stream) {
  sim_load *load = worker->load;
  uint64_t all =
      load->config.mode == SIM_LOAD_UPLOAD ? stream->answer : stream->done;

  if (load->config.size == 0 || all != load->config.size) {
    ++load->wrong;
  }
  if (counting(worker)) {
    ++load->streams;
    sim_histogram_add(&load->times, worker->now - stream->opened);
  }
  stream->id = -1;
}

/* Whether |data| is what |expected| repeats, from |at| on. */
static int repeats(const uint8_t *data, size_t len, const uint8_t *expected,
                   uint64_t at, size_t period) {
  size_t n, done;

  for (done = 0; done < len; done += n) {
    n = len - done < PERIOD ? len - done : PERIOD;
    if (memcmp(data + done, expected + (at + done) % period, n) != 0) {
      return 0;
    }
  }
  return 1;
}

static void take_answer(sim_worker *worker, stream_state *stream,
                        const uint8_t *data, size_t len) {
  size_t i;

  for (i = 0; i < len; ++i) {
    if (data[i] < '0' || data[i] > '9' || stream->answer > UINT64_MAX / 20) {
      ++worker->load->wrong;
      return;
    }
    stream->answer = 10 * stream->answer + (uint64_t)(data[i] - '0');
  }
}

static void on_stream_data(sim_client *client, int64_t id, const uint8_t *data,
                           size_t len, int fin, void *user) {
  sim_worker *worker = user;
  sim_load_mode mode = worker->load->config.mode;
  stream_state *stream;

  (void)client;
  if (worker->streams == NULL || (stream = find_stream(worker, id)) == NULL) {
    return;
  }
  if (mode == SIM_LOAD_UPLOAD) {
    take_answer(worker, stream, data, len);
  } else {
    worker->load->wrong += !repeats(
        data, len, mode == SIM_LOAD_DOWNLOAD ? source : pattern, stream->done,
        mode == SIM_LOAD_DOWNLOAD ? SOURCE_PERIOD : PERIOD);
    progress(worker, stream, len);
  }
  if (fin) {
    if (mode == SIM_LOAD_UPLOAD) {
      /* The server has them all, whatever it has yet to acknowledge. */
      progress(worker, stream, stream->written - stream->done);
    }
    end_stream(worker, stream);
  } else if (mode == SIM_LOAD_STREAM) {
    top_up(worker, stream);
  }
}

/* Datagrams */

static void put64(uint8_t *dest, uint64_t value) {
  memcpy(dest, &value, sizeof(value));
}

static uint64_t get64(const uint8_t *src) {
  uint64_t value;

  memcpy(&value, src, sizeof(value));
  return value;
}

static int send_datagram(sim_worker *worker, uint64_t due) {
  const sim_load_config *config = &worker->load->config;
  uint8_t data[2048];
  uint64_t number = worker->next_number;
  int rv;

  put64(data, number);
  put64(data + 8, due);
  memcpy(data + HEADER, pattern + number % PERIOD, config->size - HEADER);
  rv = sim_client_datagram(worker->client, worker->session, data, config->size);
  if (rv != 0) {
    return rv;
  }
  worker->ring[number % RING] = due;
  ++worker->next_number;
  ++worker->outstanding;
  return 0;
}

static void give_up(sim_worker *worker) {
  sim_load *load = worker->load;
  uint64_t due;

  while (worker->oldest < worker->next_number) {
    due = worker->ring[worker->oldest % RING];
    if (due != 0) {
      if (worker->now < due + load->config.patience &&
          worker->next_number - worker->oldest < RING) {
        return;
      }
      worker->ring[worker->oldest % RING] = 0;
      --worker->outstanding;
      ++load->datagrams_lost;
    }
    ++worker->oldest;
  }
}

static void run_datagrams(sim_worker *worker) {
  sim_load *load = worker->load;

  give_up(worker);
  if (worker->now < load->start || worker->now >= load->stop) {
    return;
  }
  if (load->config.interval == 0) {
    while (worker->outstanding < load->config.window &&
           worker->next_number - worker->oldest < RING - 1) {
      if (send_datagram(worker, worker->now) != 0) {
        return;
      }
      ++load->datagrams_offered;
    }
    return;
  }
  if (worker->next_due < load->start) {
    worker->next_due = load->start;
  }
  while (worker->next_due <= worker->now && worker->next_due < load->stop) {
    /* The time that counts is when it should have gone. */
    ++load->datagrams_offered;
    if (send_datagram(worker, worker->next_due) != 0) {
      ++load->datagrams_unsent;
    }
    worker->next_due += load->config.interval;
  }
}

static void on_datagram(sim_client *client, int64_t session,
                        const uint8_t *data, size_t len, void *user) {
  sim_worker *worker = user;
  sim_load *load = worker->load;
  uint64_t number, due;

  (void)client;
  if (worker->ring == NULL) {
    return;
  }
  if (session != worker->session || len != load->config.size) {
    ++load->wrong;
    return;
  }
  number = get64(data);
  due = get64(data + 8);
  if (number >= worker->next_number ||
      memcmp(data + HEADER, pattern + number % PERIOD, len - HEADER) != 0) {
    ++load->wrong;
    return;
  }
  if (number < worker->oldest || worker->ring[number % RING] == 0) {
    ++load->datagrams_late;
    return;
  }
  if (worker->ring[number % RING] != due) {
    ++load->wrong;
    return;
  }
  worker->ring[number % RING] = 0;
  --worker->outstanding;
  ++load->datagrams_echoed;
  sim_histogram_add(&load->times, worker->now - due);
}

/* The connection */

static void connected(sim_worker *worker) {
  worker->ready = 1;
  worker->next_due = 0;
}

static void on_confirmed(sim_client *client, void *user) {
  sim_worker *worker = user;
  sim_load *load = worker->load;

  if (load->config.mode != SIM_LOAD_HANDSHAKES) {
    return;
  }
  if (counting(worker)) {
    ++load->handshakes;
    sim_histogram_add(&load->times, worker->now - worker->begun);
  }
  sim_client_close(client, load->config.raw ? 0 : SIM_H3_NO_ERROR, NULL);
}

static void on_handshake_done(sim_client *client, void *user) {
  sim_worker *worker = user;
  const sim_load_config *config = &worker->load->config;

  if (config->mode == SIM_LOAD_HANDSHAKES) {
    return;
  }
  if (config->raw) {
    connected(worker);
    return;
  }
  sim_client_session_open(client, &config->request, &worker->session);
}

static void on_answered(sim_client *client, int64_t session, int status,
                        void *user) {
  sim_worker *worker = user;
  sim_load *load = worker->load;

  (void)session;
  if (status < 200 || status > 299) {
    sim_client_close(client, SIM_H3_GENERAL_PROTOCOL_ERROR, "no session");
    return;
  }
  if (load->config.mode != SIM_LOAD_SESSIONS) {
    connected(worker);
    return;
  }
  if (counting(worker)) {
    ++load->sessions;
    sim_histogram_add(&load->times, worker->now - worker->begun);
  }
  sim_client_close(client, SIM_H3_NO_ERROR, NULL);
}

static void on_closed(sim_client *client, const sim_closed *closed,
                      void *user) {
  sim_worker *worker = user;

  (void)client;
  worker->ready = 0;
  if (!closed->local || closed->by != SIM_CLOSED_APPLICATION ||
      closed->reason_len > 0) {
    ++worker->load->failures;
    worker->load->last_failure = *closed;
    worker->load->last_failure.reason = NULL;
    worker->load->last_failure.reason_len = 0;
  }
}

const sim_callbacks sim_worker_callbacks = {
    .handshake_done = on_handshake_done,
    .handshake_confirmed = on_confirmed,
    .session_answered = on_answered,
    .stream_data = on_stream_data,
    .datagram = on_datagram,
    .closed = on_closed,
};

void sim_worker_run(sim_worker *worker, uint64_t now) {
  worker->now = now;
  if (!worker->ready || now < worker->load->start) {
    return;
  }
  if (worker->streams != NULL) {
    run_streams(worker);
  } else if (worker->ring != NULL) {
    run_datagrams(worker);
  }
}

uint64_t sim_worker_deadline(const sim_worker *worker) {
  const sim_load *load = worker->load;
  uint64_t deadline = UINT64_MAX, due;

  if (!worker->ready) {
    return UINT64_MAX;
  }
  if (worker->now < load->start) {
    return load->start;
  }
  if (worker->ring == NULL) {
    return UINT64_MAX;
  }
  if (worker->oldest < worker->next_number) {
    due = worker->ring[worker->oldest % RING];
    deadline = due == 0 ? worker->now : due + load->config.patience;
  }
  if (load->config.interval != 0 && worker->next_due < load->stop &&
      worker->next_due < deadline) {
    deadline = worker->next_due;
  }
  return deadline;
}
