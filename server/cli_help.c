/* SPDX-License-Identifier: Apache-2.0 */
/* What "help" and "--help" print. */
#include "server/cli.h"

#define CONTROL_HELP                                                           \
  "  --control PATH   which server, if several run: it is in its ready line\n"
#define JSON_HELP "  --json           the reply as one line of JSON\n"

static const char general[] =
    "usage: fortnight COMMAND [OPTION...]\n"
    "\n"
    "A WebTransport server whose certificates never outlive a fortnight.\n"
    "\n"
    "  serve      serves until Ctrl-C or SIGTERM; prints one line \"ready "
    "{...}\"\n"
    "             (--ephemeral keeps nothing: for tests)\n"
    "\n"
    "to the server that runs:\n"
    "  status     how it is, what it serves, and what comes next\n"
    "  hashes     the link, and the certificates' hashes in many forms\n"
    "  rotate     swaps in the standby certificate now; sessions go on\n"
    "  revoke     the same, and closes what the old certificate had let in\n"
    "  reset      revokes everything: every client needs a new link\n"
    "  identity   the key that signs the hashes: its name, backup, restore\n"
    "  stop       ends it\n"
    "\n"
    "without a server:\n"
    "  verify     checks a signed set of hashes\n"
    "  simulate   what a profile comes to over the years, and promises\n"
    "\n"
    "  help COMMAND, or COMMAND --help, says more\n"
    "\n"
    "exit codes: 0 done, 1 refused or failed, 2 refused option, 3 port busy,\n"
    "            4 permission denied, 5 address not available,\n"
    "            6 no server, or control socket refused,\n"
    "            7 state folder refused, 8 not verified, 9 has run out\n";

static const char serve[] =
    "usage: fortnight serve [OPTION...]\n"
    "\n"
    "Serves until Ctrl-C or SIGTERM, which asks sessions to end; the second "
    "one ends\n"
    "them.  When the first hashes are published, one line goes to standard "
    "output:\n"
    "\"ready \" and a JSON object with the link.\n"
    "\n"
    "where\n"
    "  --listen ADDRESS  where to listen (default 127.0.0.1; :: is every "
    "network,\n"
    "                    IPv4 and IPv6), with a port if you like: "
    "192.0.2.1:443,\n"
    "                    [2001:db8::1]:443; may be repeated, and the first is "
    "the\n"
    "                    link's\n"
    "  --port N          the UDP port of those without (default 4433; 0: any "
    "free\n"
    "                    one)\n"
    "  --host NAME       a DNS name or address for the certificate; may be\n"
    "                    repeated, and the first is the link's\n"
    "  --path PATH       the link's path (default /echo, or of what is served "
    "in\n"
    "                    its place)\n"
    "  --app NAME        one of the applications that are served: echo, room\n"
    "                    (/room?name=X), measure (/sink, /source); may be\n"
    "                    repeated (default: all)\n"
    "  --http ADDR:PORT  the documents over HTTP: /hashes.json, /share,\n"
    "                    /certificate.sha256, /healthz, /metrics (default\n"
    "                    127.0.0.1 and the UDP port's number; \"off\": none)\n"
    "\n"
    "certificates\n"
    "  --profile P       hot-standby (default), long, short, or parts of it:\n"
    "                    backdate=1d,standby=6d,active=6d,guard=1d; also "
    "slack,\n"
    "                    jitter, max-age.  \"fortnight simulate\" shows it\n"
    "  --state DIR       where certificates, identity and journal are kept\n"
    "                    (default: $STATE_DIRECTORY, or fortnight below\n"
    "                    $XDG_STATE_HOME or ~/.local/state)\n"
    "  --ephemeral       keeps nothing: each start has a new identity\n"
    "  --mirror URL      an https URL where the signed set of hashes can be "
    "had\n"
    "                    too; it goes into the link\n"
    "  --on-publish CMD  runs a shell command for each new signed set, which "
    "it\n"
    "                    gets on standard input\n"
    "  --on-event CMD    runs a shell command for each line of the journal\n"
    "\n"
    "limits\n"
    "  --origin ORIGIN   only pages of this origin, such as "
    "https://example.org,\n"
    "                    may have sessions; may be repeated (default: "
    "everybody)\n"
    "  --max-connections N  at once (default 10000)\n"
    "  --max-sessions N     of one connection at once (default 16)\n"
    "  --max-handshakes N   that are open at once (default 4096)\n"
    "  --idle SECONDS    of silence after which a connection is over (default "
    "30)\n"
    "  --retry WHEN      whether clients have to show first that they are "
    "where\n"
    "                    they say: always, busy (default), never\n"
    "  --retry-above N   busy is: more handshakes are open (default 256, or\n"
    "                    half of --max-handshakes)\n"
    "  --drain SECONDS   that sessions have to end by themselves when it "
    "stops\n"
    "                    (default 5; 0: none)\n"
    "\n"
    "log, on standard error\n"
    "  --log-level L     error, warning, info (default) or debug\n"
    "  --log-format F    text (default), or json: one object a line\n"
    "  --key-log FILE    appends TLS secrets for Wireshark: whoever has the\n"
    "                    file can read all traffic\n"
    "\n"
    "control\n"
    "  --control PATH    the control socket (default: PORT.sock in a folder\n"
    "                    fortnight-UID below XDG_RUNTIME_DIR, or /tmp)\n";

static const char status[] =
    "usage: fortnight status [OPTION...]\n"
    "\n"
    "Shows how the running server is, its certificates, and what comes next.\n"
    "\n" JSON_HELP CONTROL_HELP;

static const char hashes[] =
    "usage: fortnight hashes [--form FORM] [OPTION...]\n"
    "\n"
    "Prints what clients need to connect.\n"
    "\n"
    "  --form FORM      only this: link, url, hex, openssl, base64, "
    "base64url,\n"
    "                   certhash, multiaddr (libp2p), snippet (JavaScript),\n"
    "                   text (/certificate.sha256), json, jws (signed)\n"
    "" JSON_HELP CONTROL_HELP;

static const char rotate[] =
    "usage: fortnight rotate [--force] [OPTION...]\n"
    "\n"
    "Swaps in the standby certificate now.  Sessions go on.  Refused until "
    "its\n"
    "hash has been published for long enough to be in every cache.\n"
    "\n"
    "  --force          as soon as it is published at all: clients that have\n"
    "                   an older hash set from a cache may be "
    "refused\n" JSON_HELP CONTROL_HELP;

static const char revoke[] =
    "usage: fortnight revoke [OPTION...]\n"
    "\n"
    "For a key that may have leaked: the certificate in service is served no\n"
    "more, its hash leaves every document, its connections are closed, and "
    "the\n"
    "standby, which clients know already, takes over.\n"
    "\n" JSON_HELP CONTROL_HELP;

static const char reset[] =
    "usage: fortnight reset --yes [OPTION...]\n"
    "\n"
    "Revokes all certificates, the standby too, and begins a new epoch: what\n"
    "clients know is worth nothing any more, and every one of them needs a "
    "new\n"
    "link.  The identity stays.\n"
    "\n"
    "  --yes            that this is meant\n" JSON_HELP CONTROL_HELP;

static const char identity[] =
    "usage: fortnight identity [--backup | --restore FILE] [OPTION...]\n"
    "\n"
    "Prints the thumbprint of the key that signs the hashes; it is the \"id\" "
    "in\n"
    "links.\n"
    "\n"
    "  --backup         prints the key itself, as one line of text.  Whoever\n"
    "                   has it can speak for this server: keep it secret\n"
    "  --restore FILE   takes the key in FILE (\"-\": standard input) from now "
    "on;\n"
    "                   links with another \"id\" are not renewed any more\n"
    "" JSON_HELP CONTROL_HELP;

static const char stop[] =
    "usage: fortnight stop [--now] [OPTION...]\n"
    "\n"
    "Ends the server.  Sessions are asked to end, and have the time for it "
    "that\n"
    "\"serve --drain\" gave them; asked again, it waits for nobody.\n"
    "\n"
    "  --now            at once; clients are told all the same\n" JSON_HELP
        CONTROL_HELP;

static const char verify[] =
    "usage: fortnight verify FILE --id THUMBPRINT | --link LINK\n"
    "\n"
    "Checks the signed set of hashes in FILE (\"-\": standard input), as\n"
    "/hashes.json and \"hashes --form jws\" give it, and shows what it says.\n"
    "\n"
    "  --id THUMBPRINT  the identity that has to have signed it\n"
    "  --link LINK      a link with \"&id=\", which names it\n"
    "  --json           what it says, as one line of JSON\n"
    "\n"
    "exit codes: 0 signed by that identity, and in force; 8 it is not;\n"
    "            9 signed by it, but has run out\n";

static const char simulate[] =
    "usage: fortnight simulate [--profile P] [--years N] [--json | --svg "
    "FILE]\n"
    "\n"
    "Lives through N years by a profile, without faults, within a moment, and\n"
    "shows what the profile promises to clients.\n"
    "\n"
    "  --profile P      hot-standby (default), long, short, or parts of it, "
    "as\n"
    "                   backdate=1d,standby=6d,active=6d,guard=1d\n"
    "  --years N        from 1 to 100 (default 10)\n"
    "  --json           the same for a program; times in seconds\n"
    "  --svg FILE       the first certificates as a picture (\"-\": standard\n"
    "                   output)\n";

const char *cli_help(cli_command command) {
  static const char *const texts[CLI_COMMAND_COUNT] = {
      [CLI_HELP] = general,  [CLI_SERVE] = serve,       [CLI_STATUS] = status,
      [CLI_HASHES] = hashes, [CLI_ROTATE] = rotate,     [CLI_REVOKE] = revoke,
      [CLI_RESET] = reset,   [CLI_IDENTITY] = identity, [CLI_STOP] = stop,
      [CLI_VERIFY] = verify, [CLI_SIMULATE] = simulate,
  };

  return texts[command];
}
