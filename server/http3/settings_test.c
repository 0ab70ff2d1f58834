/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http3/settings.h"

#include "server/varint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define CONTROL_STREAM 3

/* A control stream: type, SETTINGS {1: 0x4000, 8: 1}, GOAWAY 0. */
static const uint8_t source[] = {0x00, 0x04, 0x07, 0x01, 0x80, 0x00, 0x40,
                                 0x00, 0x08, 0x01, 0x07, 0x01, 0x00};
#define SOURCE_HEAD 10

static void test_golden(void **state) {
  static const uint8_t expected[] = {0x00, 0x04, 0x21,
                                     /* nghttp3's own */
                                     0x01, 0x80, 0x00, 0x40, 0x00, 0x08, 0x01,
                                     /* 0xffd277 = 1 */
                                     0x80, 0xff, 0xd2, 0x77, 0x01,
                                     /* 0x2b603742 = 1 */
                                     0xab, 0x60, 0x37, 0x42, 0x01,
                                     /* 0xc671706a = 0x1000 */
                                     0xc0, 0x00, 0x00, 0x00, 0xc6, 0x71, 0x70,
                                     0x6a, 0x50, 0x00,
                                     /* 0x14e9cd29 = 0x1000 */
                                     0x94, 0xe9, 0xcd, 0x29, 0x50, 0x00};
  h3_setting extra[H3_WEBTRANSPORT_SETTINGS];
  uint8_t dest[H3_SPLICE_MAX];
  size_t used = 0;

  (void)state;
  h3_webtransport_settings(extra, 0x1000);
  assert_int_equal(h3_settings_splice(dest, sizeof(dest), source,
                                      sizeof(source), extra,
                                      H3_WEBTRANSPORT_SETTINGS, &used),
                   sizeof(expected));
  assert_int_equal(used, SOURCE_HEAD);
  assert_memory_equal(dest, expected, sizeof(expected));
  for (size_t room = 0; room < sizeof(expected); room++) {
    assert_int_equal(h3_settings_splice(dest, room, source, sizeof(source),
                                        extra, H3_WEBTRANSPORT_SETTINGS, &used),
                     H3_SETTINGS_ERR_NOBUF);
  }
}

static void test_nothing_added(void **state) {
  uint8_t dest[H3_SPLICE_MAX];
  size_t used = 0;

  (void)state;
  assert_int_equal(h3_settings_splice(dest, sizeof(dest), source,
                                      sizeof(source), NULL, 0, &used),
                   SOURCE_HEAD);
  assert_int_equal(used, SOURCE_HEAD);
  assert_memory_equal(dest, source, SOURCE_HEAD);
}

/* The length of the frame outgrows one octet. */
static void test_longer_length(void **state) {
  h3_setting extra[6];
  uint8_t dest[H3_SPLICE_MAX];
  uint64_t payload_len = 0;
  size_t used = 0;

  (void)state;
  for (size_t i = 0; i < 6; i++) {
    extra[i] = (h3_setting){VARINT_MAX - i, VARINT_MAX};
  }
  assert_int_equal(h3_settings_splice(dest, sizeof(dest), source,
                                      sizeof(source), extra, 6, &used),
                   2 + 2 + 7 + 6 * 16);
  assert_int_equal(varint_get(&payload_len, dest + 2, 8), 2);
  assert_int_equal(payload_len, 7 + 6 * 16);
  assert_memory_equal(dest + 4, source + 3, 7);
}

static void test_refused(void **state) {
  static const h3_setting twice[] = {{0x08, 1}};
  static const h3_setting each_other[] = {{0x33, 1}, {0x21, 0}, {0x33, 0}};
  static const h3_setting large_id[] = {{VARINT_MAX + 1, 1}};
  static const h3_setting large_value[] = {{0x33, VARINT_MAX + 1}};
  static const h3_setting one[] = {{0x33, 1}};
  uint8_t dest[H3_SPLICE_MAX], bad[sizeof(source)];
  size_t used = 4711;

  (void)state;
  assert_int_equal(h3_settings_splice(dest, sizeof(dest), source,
                                      sizeof(source), twice, 1, &used),
                   H3_SETTINGS_ERR_ENTRY);
  assert_int_equal(h3_settings_splice(dest, sizeof(dest), source,
                                      sizeof(source), each_other, 3, &used),
                   H3_SETTINGS_ERR_ENTRY);
  assert_int_equal(h3_settings_splice(dest, sizeof(dest), source,
                                      sizeof(source), large_id, 1, &used),
                   H3_SETTINGS_ERR_ENTRY);
  assert_int_equal(h3_settings_splice(dest, sizeof(dest), source,
                                      sizeof(source), large_value, 1, &used),
                   H3_SETTINGS_ERR_ENTRY);
  /* Not all of the frame. */
  for (size_t len = 0; len < SOURCE_HEAD; len++) {
    assert_int_equal(
        h3_settings_splice(dest, sizeof(dest), source, len, one, 1, &used),
        H3_SETTINGS_ERR_FRAME);
  }
  /* Another stream type, another frame, entries that are no pairs. */
  memcpy(bad, source, sizeof(source));
  bad[0] = 0x02;
  assert_int_equal(
      h3_settings_splice(dest, sizeof(dest), bad, sizeof(bad), one, 1, &used),
      H3_SETTINGS_ERR_FRAME);
  memcpy(bad, source, sizeof(source));
  bad[1] = 0x07;
  assert_int_equal(
      h3_settings_splice(dest, sizeof(dest), bad, sizeof(bad), one, 1, &used),
      H3_SETTINGS_ERR_FRAME);
  memcpy(bad, source, sizeof(source));
  bad[2] = 0x06;
  assert_int_equal(
      h3_settings_splice(dest, sizeof(dest), bad, sizeof(bad), one, 1, &used),
      H3_SETTINGS_ERR_FRAME);
  assert_int_equal(used, 4711);
}

/* --- with the real nghttp3 ------------------------------------------------ */

static int on_settings(nghttp3_conn *conn,
                       const nghttp3_proto_settings *settings,
                       void *user_data) {
  (void)conn;
  *(nghttp3_proto_settings *)user_data = *settings;
  return 0;
}

static int on_shutdown(nghttp3_conn *conn, int64_t id, void *user_data) {
  (void)conn;
  (void)id;
  (void)user_data;
  return 0;
}

/* A server's end, and the control stream as its peer gets it. */
typedef struct endpoint {
  nghttp3_conn *conn;
  h3_splice splice;
  h3_setting extra[H3_WEBTRANSPORT_SETTINGS];
  uint8_t stream[1024];
  size_t len;
  size_t acked;
} endpoint;

static void setup(endpoint *e) {
  nghttp3_callbacks callbacks = {.shutdown = on_shutdown};
  nghttp3_settings settings;

  memset(e, 0, sizeof(*e));
  nghttp3_settings_default(&settings);
  settings.max_field_section_size = 16384;
  settings.qpack_max_dtable_capacity = 4096;
  settings.qpack_blocked_streams = 100;
  settings.enable_connect_protocol = 1;
  settings.h3_datagram = 1;
  assert_int_equal(nghttp3_conn_server_new(&e->conn, &callbacks, &settings,
                                           nghttp3_mem_default(), NULL),
                   0);
  assert_int_equal(nghttp3_conn_bind_control_stream(e->conn, CONTROL_STREAM),
                   0);
  assert_int_equal(nghttp3_conn_bind_qpack_streams(e->conn, 7, 11), 0);
  h3_webtransport_settings(e->extra, 1);
  h3_splice_init(&e->splice, e->extra, H3_WEBTRANSPORT_SETTINGS);
}

/* One turn of writing, in which the transport takes at most |room| octets of
   the control stream.  Returns 0 when nothing of it is left to write. */
static int write_turn(endpoint *e, size_t room) {
  nghttp3_vec vec[8], out[9];
  int64_t stream_id;
  nghttp3_ssize n;
  size_t taken = 0;
  int fin;

  for (;;) {
    n = nghttp3_conn_writev_stream(e->conn, &stream_id, &fin, vec, 8);
    assert_true(n >= 0);
    if (stream_id == -1) {
      return 0;
    }
    if (stream_id == CONTROL_STREAM) {
      break;
    }
    assert_int_equal(
        nghttp3_conn_add_write_offset(e->conn, stream_id,
                                      (size_t)nghttp3_vec_len(vec, (size_t)n)),
        0);
  }
  n = h3_splice_vec(&e->splice, out, 9, vec, (size_t)n);
  assert_true(n > 0);
  for (nghttp3_ssize i = 0; i < n && taken < room; i++) {
    size_t m = out[i].len < room - taken ? out[i].len : room - taken;
    assert_true(e->len + m <= sizeof(e->stream));
    memcpy(e->stream + e->len, out[i].base, m);
    e->len += m;
    taken += m;
  }
  assert_int_equal(
      nghttp3_conn_add_write_offset(e->conn, CONTROL_STREAM,
                                    h3_splice_written(&e->splice, taken)),
      0);
  return 1;
}

static void ack(endpoint *e, size_t n) {
  e->acked += n;
  assert_true(e->acked <= e->len);
  assert_int_equal(nghttp3_conn_add_ack_offset(e->conn, CONTROL_STREAM,
                                               h3_splice_acked(&e->splice, n)),
                   0);
}

/* What an nghttp3 client makes of the stream; and the extra entries, which it
   does not know. */
static void check_stream(const endpoint *e) {
  nghttp3_callbacks callbacks = {.recv_settings2 = on_settings,
                                 .shutdown = on_shutdown};
  nghttp3_proto_settings seen;
  nghttp3_settings settings;
  nghttp3_conn *client;
  uint64_t len, id, value;
  size_t off = 2, end, found = 0;

  memset(&seen, 0, sizeof(seen));
  nghttp3_settings_default(&settings);
  assert_int_equal(nghttp3_conn_client_new(&client, &callbacks, &settings,
                                           nghttp3_mem_default(), &seen),
                   0);
  assert_int_equal(
      nghttp3_conn_read_stream(client, CONTROL_STREAM, e->stream, e->len, 0),
      (nghttp3_ssize)e->len);
  nghttp3_conn_del(client);
  assert_int_equal(seen.max_field_section_size, 16384);
  assert_int_equal(seen.qpack_max_dtable_capacity, 4096);
  assert_int_equal(seen.qpack_blocked_streams, 100);
  assert_int_equal(seen.enable_connect_protocol, 1);
  assert_int_equal(seen.h3_datagram, 1);

  off += varint_get(&len, e->stream + off, e->len - off);
  end = off + (size_t)len;
  assert_true(end <= e->len);
  while (off < end) {
    off += varint_get(&id, e->stream + off, end - off);
    off += varint_get(&value, e->stream + off, end - off);
    for (size_t i = 0; i < H3_WEBTRANSPORT_SETTINGS; i++) {
      found += e->extra[i].id == id && e->extra[i].value == value;
    }
  }
  assert_int_equal(off, end);
  assert_int_equal(found, H3_WEBTRANSPORT_SETTINGS);
}

static void test_all_at_once(void **state) {
  endpoint e;

  (void)state;
  setup(&e);
  assert_int_equal(write_turn(&e, 1000), 1);
  assert_int_equal(write_turn(&e, 1000), 0);
  check_stream(&e);
  ack(&e, e.len);
  nghttp3_conn_del(e.conn);
}

/* The transport takes the stream in pieces of every size, and acknowledges it
   in pieces of every size, with a GOAWAY behind SETTINGS in the same write or
   in a later one. */
static void test_pieces(void **state) {
  (void)state;
  for (size_t piece = 1; piece < 80; piece++) {
    for (int late = 0; late <= 1; late++) {
      endpoint e;
      size_t turns = 0, settings_len;

      setup(&e);
      if (!late) {
        assert_int_equal(nghttp3_conn_submit_shutdown_notice(e.conn), 0);
      }
      while (write_turn(&e, piece)) {
        turns++;
        assert_true(turns < 200);
        /* A turn in which the transport takes nothing changes nothing. */
        if (write_turn(&e, 0)) {
          turns++;
        }
      }
      settings_len = e.len;
      check_stream(&e);
      if (late) {
        ack(&e, e.len / 2);
        assert_int_equal(nghttp3_conn_submit_shutdown_notice(e.conn), 0);
        while (write_turn(&e, piece)) {
        }
        assert_true(e.len > settings_len);
        check_stream(&e);
      }
      assert_int_equal(nghttp3_conn_shutdown(e.conn), 0);
      while (write_turn(&e, piece)) {
      }
      check_stream(&e);
      while (e.acked < e.len) {
        ack(&e, e.len - e.acked < piece ? e.len - e.acked : piece);
      }
      nghttp3_conn_del(e.conn);
    }
  }
}

/* SETTINGS cut over several vectors, with empty ones between. */
static void test_vectors(void **state) {
  static const h3_setting one[] = {{0x33, 1}};
  uint8_t copy[sizeof(source)];
  h3_splice splice;
  nghttp3_vec vec[4] = {{copy, 1}, {copy + 1, 0}, {copy + 1, 4}, {copy + 5, 8}};
  nghttp3_vec out[5];

  (void)state;
  memcpy(copy, source, sizeof(source));
  h3_splice_init(&splice, one, 1);
  assert_int_equal(h3_splice_vec(&splice, out, 0, vec, 4),
                   H3_SETTINGS_ERR_NOBUF);
  assert_int_equal(h3_splice_vec(&splice, out, 1, vec, 4),
                   H3_SETTINGS_ERR_NOBUF);
  assert_int_equal(h3_splice_vec(&splice, out, 5, vec, 4), 2);
  assert_int_equal(out[0].len, SOURCE_HEAD + 2);
  assert_int_equal(out[1].len, 3);
  assert_memory_equal(out[1].base, source + SOURCE_HEAD, 3);
  /* Recorded is only what was taken: 12 octets are 10 of nghttp3's. */
  assert_int_equal(h3_splice_written(&splice, 5), 0);
  assert_int_equal(h3_splice_written(&splice, 7), 10);
  assert_int_equal(h3_splice_written(&splice, 3), 3);
  assert_int_equal(h3_splice_acked(&splice, 11), 0);
  assert_int_equal(h3_splice_acked(&splice, 2), 11);
  assert_int_equal(h3_splice_acked(&splice, 2), 2);
}

static void test_incomplete_vectors(void **state) {
  static const h3_setting one[] = {{0x33, 1}};
  uint8_t copy[sizeof(source)];
  h3_splice splice;
  nghttp3_vec vec = {copy, 5};
  nghttp3_vec out[2];

  (void)state;
  memcpy(copy, source, sizeof(source));
  h3_splice_init(&splice, one, 1);
  assert_int_equal(h3_splice_vec(&splice, out, 2, &vec, 1),
                   H3_SETTINGS_ERR_FRAME);
  assert_int_equal(h3_splice_vec(&splice, out, 2, NULL, 0),
                   H3_SETTINGS_ERR_FRAME);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_golden),
      cmocka_unit_test(test_nothing_added),
      cmocka_unit_test(test_longer_length),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_all_at_once),
      cmocka_unit_test(test_pieces),
      cmocka_unit_test(test_vectors),
      cmocka_unit_test(test_incomplete_vectors),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
