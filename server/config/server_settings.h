/* server_settings.h - the server's settings, from config.ini (section [DEFAULT]) and from
 * environment variables of the same names. The README has the table.
 */
#ifndef LOTTERY_SERVER_SETTINGS_H
#define LOTTERY_SERVER_SETTINGS_H

#include "draw_id.h"
#include "errbuf.h"
#include "log.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

#define SERVER_AGENCIES_MAX 10000
#define SERVER_HTTP_IP_SIZE 46 /* bytes of any IP address, including its NUL */
#define SERVER_IP_ALL "server" /* the default of SERVER_IP: all addresses */

/* In the order of the choices that the table of settings has. */
enum server_mode { SERVER_MODE_LOTTERY, SERVER_MODE_ECHO };

/* Who closes the draw and gives its number; the same order. */
enum server_draw { SERVER_DRAW_AUTO, SERVER_DRAW_MANUAL };

/* Whether the draw is sealed; the same order, and last what no choice means. */
enum server_seal { SERVER_SEAL_NO, SERVER_SEAL_YES, SERVER_SEAL_UNSET };

/* Whether the observer's metrics have series of each agency; the same order. */
enum server_metrics { SERVER_METRICS_TOTALS, SERVER_METRICS_PER_AGENCY };

struct settings_sources; /* settings.h */

struct server_settings {
    uint32_t port;            /* TCP port; 0 = any free one, which the log shows */
    char ip[512];             /* the address to listen on, or its name; "server" = all addresses */
    char ip_place[544];       /* where that was set: "file:line", "environment" or "default" */
    uint32_t listen_backlog;  /* connections that may wait to be accepted */
    enum log_level log_level; /* lowest level that is logged */
    enum log_format log_format;      /* the form of a line of the log */
    enum server_mode mode;           /* the lottery or echo */
    uint32_t workers;                /* worker processes; 0 = one per core */
    uint32_t max_connections;        /* at a time, in all */
    uint32_t max_connections_per_ip; /* at a time, from one address */
    uint32_t max_buffered;       /* bytes of a connection's messages that may wait for the disk */
    int64_t handshake_timeout;   /* ns, until a connection has sent its first message */
    int64_t frame_timeout;       /* ns, for a message to arrive whole, and for answers to be read */
    int64_t idle_timeout;        /* ns, between messages of an agency that has not finished */
    char http_address[512];      /* where the observer listens: port or IP:port; empty: it is off */
    enum server_metrics metrics; /* what it says of each agency */
    uint32_t agencies;           /* their ids are 1..agencies; 0 = the draw never takes place */
    uint32_t winner_number;      /* bets with this number win */
    char data_dir[512];          /* folder of bets.csv and winners.csv, or of the draws' folders */
    enum server_draw draw;       /* automatic, or by an operator */
    enum server_seal seal;       /* see server_settings_has_seal() */
    uint64_t close_at_s;      /* UTC, seconds since 1970: when the first draw closes; 0: not set */
    char close_at_place[544]; /* where that was set, as ip_place; "" = nowhere */
    char draw_id[DRAW_ID_MAX + 1]; /* of the first draw; empty: it has none */
    char seal_key[512];            /* file of the key that seals; empty: in data_dir */
    char tls_cert[512];            /* the server's certificate, PEM; empty: no TLS */
    char tls_key[512];             /* its key; empty as well, and so is the next one */
    char tls_ca[512];              /* the authority that agencies' certificates come from */
    char tls_crl[512];             /* certificates that it has revoked; empty: no list */
    char tls_place[576];           /* where one of these four was set, and its name; "" = nowhere */
};

/* Fills *out from the defaults, the file, the environment and the command line. Returns
 * STATUS_INVALID with "file:line: KEY: reason", or the same with "environment" or "command line"
 * for the place, in *err, or STATUS_IO when the file cannot be read; then *out is unchanged.
 * A closing time for a draw that no operator runs is STATUS_INVALID, too, and so are some of the
 * settings of TLS without the others.
 * STATUS_STOPPED: see config_file_read(), which it blocks in. */
enum status server_settings_load(const struct settings_sources *sources,
                                 struct server_settings *out, struct errbuf *err);

/* The same again, while the server runs. STATUS_INVALID also if the file is none that can be read
 * again, such as a pipe. */
enum status server_settings_reload(const struct settings_sources *sources,
                                   struct server_settings *out, struct errbuf *err);

/* Is a draw with these settings sealed? Where nothing is set: one by an operator is. */
bool server_settings_has_seal(const struct server_settings *settings);

/* Do agencies connect with TLS? Then certificate, key and authority are set. */
bool server_settings_has_tls(const struct server_settings *settings);

/* Where the observer listens: an IP address, and a port, 0 for any. False: it is off. */
bool server_settings_http(const struct server_settings *settings, char ip[SERVER_HTTP_IP_SIZE],
                          uint16_t *port);

/* "lottery" or "echo". */
const char *server_mode_name(enum server_mode mode);

/* Writes the `action: config` line, and a WARNING for each variable that looks like a setting and
 * is none. */
void server_settings_log(const struct server_settings *settings);

#endif
