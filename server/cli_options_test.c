/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ARGS_MAX 90
#define ID "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

static cli_options options;
static char error[512];
static char line[4096];

/* Parses |command_line|, whose words are apart by one blank each. */
static int parse(const char *command_line) {
  char *argv[ARGS_MAX];
  char *next = line;
  int argc = 0;

  snprintf(line, sizeof(line), "fortnight%s%s", *command_line ? " " : "",
           command_line);
  while (next) {
    assert_true(argc < ARGS_MAX);
    argv[argc++] = next;
    next = strchr(next, ' ');
    if (next) {
      *next++ = '\0';
    }
  }
  error[0] = '\0';
  return cli_parse(&options, argc, argv, error, sizeof(error));
}

static void take(const char *command_line) {
  if (parse(command_line) != 0) {
    fail_msg("%s: %s", command_line, error);
  }
}

static void test_defaults(void **state) {
  (void)state;
  take("serve");
  assert_int_equal(options.command, CLI_SERVE);
  assert_int_equal(options.nlistens, 1);
  assert_string_equal(options.listens[0].address, "127.0.0.1");
  assert_int_equal(options.listens[0].port, 4433);
  assert_int_equal(options.nhosts, 0);
  assert_int_equal(options.ephemeral, 0);
  assert_null(options.state);
  assert_null(options.http);
  assert_string_equal(cm_profile_name(&options.profile), "hot-standby");
  take("simulate");
  assert_int_equal(options.years, 10);
}

static void test_serve(void **state) {
  (void)state;
  take("serve --listen :: --port=0 --host a.example --host b.example "
       "--state /s --profile active=2d --mirror=https://m/x?y=1 --http off "
       "--on-publish p --on-event e --control /c --key-log k");
  assert_string_equal(options.listens[0].address, "::");
  assert_int_equal(options.listens[0].port, 0);
  assert_int_equal(options.nhosts, 2);
  assert_string_equal(options.hosts[1], "b.example");
  assert_string_equal(options.state, "/s");
  assert_int_equal(options.profile.active, 2 * 86400);
  assert_string_equal(options.mirror, "https://m/x?y=1");
  assert_string_equal(options.http, "off");
  assert_string_equal(options.on_publish, "p");
  assert_string_equal(options.on_event, "e");
  assert_string_equal(options.control, "/c");
  assert_string_equal(options.key_log, "k");
  take("serve --ephemeral --profile short");
  assert_int_equal(options.ephemeral, 1);
}

static void test_listens(void **state) {
  (void)state;
  take("serve --listen 127.0.0.1 --listen [::1]:443 --port 8443 --listen "
       "192.0.2.1:0 --listen [::1]:8443");
  assert_int_equal(options.nlistens, 4);
  assert_string_equal(options.listens[0].address, "127.0.0.1");
  assert_int_equal(options.listens[0].port, 8443);
  assert_string_equal(options.listens[1].address, "::1");
  assert_int_equal(options.listens[1].port, 443);
  assert_int_equal(options.listens[2].port, 0);
  assert_int_equal(options.listens[3].port, 8443);
  /* Two of which each takes any free port. */
  take("serve --listen ::1 --listen ::1 --port 0");
  take("serve --listen 127.0.0.1:443 --listen ::1");
  assert_int_equal(options.listens[1].port, 4433);
}

static void test_limits(void **state) {
  (void)state;
  take("serve");
  assert_null(options.path);
  assert_int_equal(options.norigins, 0);
  assert_int_equal(options.retry, QUIC_RETRY_WHEN_BUSY);
  assert_int_equal(options.limits[HOST_LIMIT_DRAIN], 5);
  assert_int_equal(options.limits[HOST_LIMIT_IDLE], -1);
  assert_int_equal(options.limits[HOST_LIMIT_RETRY_ABOVE], -1);
  assert_int_equal(options.log.level, CLI_LOG_INFO);
  assert_int_equal(options.log.json, 0);
  take("serve --path /room?name=x --origin https://a.example --origin "
       "http://localhost:8080 --idle 60 --max-connections 100 --max-sessions "
       "2 --max-handshakes 50 --retry busy --retry-above 10 --drain 0 "
       "--log-level debug --log-format json");
  assert_string_equal(options.path, "/room?name=x");
  assert_int_equal(options.norigins, 2);
  assert_string_equal(options.origins[1], "http://localhost:8080");
  assert_null(options.origins[2]);
  assert_int_equal(options.limits[HOST_LIMIT_IDLE], 60);
  assert_int_equal(options.limits[HOST_LIMIT_CONNECTIONS], 100);
  assert_int_equal(options.limits[HOST_LIMIT_SESSIONS], 2);
  assert_int_equal(options.limits[HOST_LIMIT_HANDSHAKES], 50);
  assert_int_equal(options.limits[HOST_LIMIT_RETRY_ABOVE], 10);
  assert_int_equal(options.limits[HOST_LIMIT_DRAIN], 0);
  assert_int_equal(options.log.level, CLI_LOG_DEBUG);
  assert_int_equal(options.log.json, 1);
  assert_int_equal(options.apps, 0);
  take("serve --app room --app measure --app room");
  assert_int_equal(options.apps,
                   appliance_app_bit("room") | appliance_app_bit("measure"));
  take("serve --retry always --log-format text --log-level error");
  assert_int_equal(options.retry, QUIC_RETRY_ALWAYS);
  assert_int_equal(options.log.level, CLI_LOG_ERROR);
  take("serve --retry never");
  assert_int_equal(options.retry, QUIC_RETRY_NEVER);
  /* Whichever comes first. */
  take("serve --retry-above 7 --retry busy");
}

static void test_commands(void **state) {
  int i;

  (void)state;
  for (i = 0; i < CLI_COMMAND_COUNT; ++i) {
    char words[64];

    snprintf(words, sizeof(words), "%s --help",
             cli_command_name((cli_command)i));
    take(words);
    assert_int_equal(options.command, i);
    assert_int_equal(options.help, 1);
    snprintf(words, sizeof(words), "help %s", cli_command_name((cli_command)i));
    take(words);
    assert_int_equal(options.command, i);
    assert_non_null(strstr(cli_help((cli_command)i), "usage: fortnight "));
  }
  take("status --json --control /c");
  assert_int_equal(options.json, 1);
  take("rotate --force");
  assert_int_equal(options.force, 1);
  take("reset --yes");
  take("stop --now");
  assert_int_equal(options.now, 1);
  take("hashes --form jws");
  assert_string_equal(options.form, "jws");
  take("identity");
  take("identity --backup");
  take("identity --restore -");
  assert_string_equal(options.restore, "-");
  take("verify - --id " ID);
  assert_string_equal(options.file, "-");
  assert_string_equal(options.id, ID);
  take("verify --link https://a/#wt=b --json -- --file");
  assert_string_equal(options.file, "--file");
  take("simulate --profile long --years 100 --svg x.svg");
  assert_int_equal(options.years, 100);
  take("--help");
  assert_int_equal(options.command, CLI_HELP);
  take("-h");
  take("help");
  take("serve -h");
  assert_int_equal(options.help, 1);
}

/* Each is refused with a line that says what to do. */
static void test_refused(void **state) {
  static const struct {
    const char *command_line;
    const char *word;
  } rows[] = {
      {"", "fortnight help"},
      {"start", "no command \"start\""},
      {"help me", "no command \"me\""},
      {"serve --ports 1", "no option --ports; see \"fortnight serve --help\""},
      {"status --port 1", "status has no option --port"},
      {"serve --port", "missing after --port"},
      {"serve --port=", "--port is empty"},
      {"serve --port 65536", "0 to 65535"},
      {"serve --listen localhost", "--listen localhost: give a literal"},
      {"serve --listen 127.0.0.1:x", "--listen 127.0.0.1:x: give a literal"},
      {"serve --listen :443", "--listen :443: give a literal address"},
      {"serve --listen 127.0.0.1 --listen 127.0.0.1:4433",
       "are the same for port 4433: give one of them"},
      {"serve --listen [::]:443 --listen 0.0.0.0:443", "the same for port 443"},
      {"serve --listen ::1:1 --listen ::1:2 --listen ::1:3 --listen ::1:4 "
       "--listen ::1:5 --listen ::1:6 --listen ::1:7 --listen ::1:8 --listen "
       "::1:9",
       "--listen was given more than 8 times"},
      {"serve --port -1", "0 to 65535"},
      {"serve --port +1", "0 to 65535"},
      {"serve --port 1x", "0 to 65535"},
      {"serve --port 99999999999999999999", "0 to 65535"},
      {"serve --ephemeral=yes", "takes no value"},
      {"serve --ephemeral --state /x", "give one of them"},
      {"serve --profile Long", "--profile Long: a profile has the name"},
      {"serve --profile active=7d", "1209599"},
      {"serve --mirror http://a/", "https URL"},
      {"serve --origin https://a.example/", "--origin takes what browsers"},
      {"serve --app chat", "--app takes echo, room or measure"},
      {"status --app echo", "status has no option --app"},
      {"serve --idle 0", "--idle takes a number of seconds from 1 to 86400"},
      {"serve --idle 86401", "1 to 86400"},
      {"serve --idle 5s", "1 to 86400"},
      {"serve --max-connections 0", "takes a number from 1 to 1000000"},
      {"serve --max-sessions 10001", "1 to 10000"},
      {"serve --max-handshakes 1", "2 to 1000000"},
      {"serve --retry often", "always, busy or never"},
      {"serve --retry-above 0", "1 to 1000000"},
      {"serve --retry-above 3 --retry never", "goes with --retry busy"},
      {"serve --drain -1", "0 to 3600"},
      {"serve --drain 3601", "0 to 3600"},
      {"serve --log-level loud", "error, warning, info or debug"},
      {"serve --log-format xml", "text or json"},
      {"serve --now", "no option --now"},
      {"status --drain 1", "status has no option --drain"},
      {"serve now", "no place for \"now\""},
      {"rotate now", "fortnight rotate --help"},
      {"reset", "fortnight reset --yes"},
      {"identity --backup --restore x", "do not go together"},
      {"verify", "takes a file"},
      {"verify x", "--id or --link"},
      {"verify x --id " ID " --link y", "--id or --link"},
      {"verify --id " ID, "takes a file"},
      {"verify x --id abc", "43 characters"},
      {"verify x --id NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9X.", "43"},
      {"verify x y --id " ID, "no place for \"y\""},
      {"simulate --years 0", "1 to 100"},
      {"simulate --years 101", "1 to 100"},
      {"simulate --json --svg x", "do not go together"},
      {"simulate -- --json", "no place for \"--json\""},
      {"status -j", "no place for \"-j\""},
  };
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
    assert_int_equal(parse(rows[i].command_line), -1);
    if (!strstr(error, rows[i].word)) {
      fail_msg("%s: %s", rows[i].command_line, error);
    }
    assert_null(strchr(error, '\n'));
  }
}

static void test_hosts(void **state) {
  char words[1024] = "serve";
  int i;

  (void)state;
  for (i = 0; i < CLI_HOSTS_MAX; ++i) {
    strcat(words, " --host a");
  }
  take(words);
  assert_int_equal(options.nhosts, CLI_HOSTS_MAX);
  strcat(words, " --host a");
  assert_int_equal(parse(words), -1);
  assert_non_null(strstr(error, "--host"));
}

static void test_origins(void **state) {
  char words[2048] = "serve";
  int i;

  (void)state;
  for (i = 0; i < HOST_ORIGINS_MAX; ++i) {
    strcat(words, " --origin https://a");
  }
  take(words);
  assert_int_equal(options.norigins, HOST_ORIGINS_MAX);
  assert_null(options.origins[HOST_ORIGINS_MAX]);
  strcat(words, " --origin https://a");
  assert_int_equal(parse(words), -1);
  assert_non_null(strstr(error, "--origin"));
}

/* No line of help is wider than a terminal. */
static void test_help_width(void **state) {
  int i;

  (void)state;
  for (i = 0; i < CLI_COMMAND_COUNT; ++i) {
    const char *p = cli_help((cli_command)i);

    while (*p) {
      size_t len = strcspn(p, "\n");

      if (len > 80) {
        fail_msg("%s: %.*s", cli_command_name((cli_command)i), (int)len, p);
      }
      assert_int_equal(p[len], '\n');
      p += len + 1;
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults), cmocka_unit_test(test_serve),
      cmocka_unit_test(test_commands), cmocka_unit_test(test_refused),
      cmocka_unit_test(test_limits),   cmocka_unit_test(test_origins),
      cmocka_unit_test(test_hosts),    cmocka_unit_test(test_help_width),
      cmocka_unit_test(test_listens),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
